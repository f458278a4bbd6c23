//! Reads the commands of a query.

use crate::Query;
use crate::cursor::{Cursor, Malformed};
use crate::expression::{Expression, Reader, compile};
use crate::query::{Command, Computed, Extraction, MOST_ROWS, Stats};
use regex::Regex;
use std::sync::Arc;

/// Commands of a query, at most.
const MOST_COMMANDS: usize = 50;
/// Commands that AWS has and this does not.
const OTHER_COMMANDS: [&str; 11] = [
    "anomaly",
    "diff",
    "filterindex",
    "join",
    "lookup",
    "pattern",
    "source",
    "subquery",
    "unmask",
    "unnest",
    "union",
];

impl Query {
    /// Reads a query.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(text);
        let mut reading = Reading::default();
        cursor.eat("|");
        loop {
            if reading.commands.len() >= MOST_COMMANDS {
                return Err(cursor.error_since(cursor.at(), format!("more than {MOST_COMMANDS} commands")));
            }
            reading.command(&mut cursor)?;
            if cursor.is_at_end() {
                return Ok(reading.finish());
            }
            cursor.require("|")?;
        }
    }
}

#[derive(Default)]
struct Reading {
    commands: Vec<Command>,
    /// What is shown by fields, of extractions, of groups, and by display.
    fields: Vec<String>,
    extracted: Vec<String>,
    groups: Option<Vec<String>>,
    shown: Option<Vec<String>>,
}

impl Reading {
    fn finish(self) -> Query {
        let of_events = self.groups.is_none();
        let columns = self.shown.unwrap_or_else(|| {
            let mut columns = self.groups.unwrap_or_default();
            if of_events && self.fields.is_empty() {
                columns.extend(["@timestamp".to_owned(), "@message".to_owned()]);
            }
            for name in self.fields.into_iter().chain(self.extracted) {
                if !columns.contains(&name) {
                    columns.push(name);
                }
            }
            columns
        });
        Query { commands: self.commands, columns, of_events }
    }

    fn command(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Malformed> {
        cursor.skip_space();
        let start = cursor.at();
        let Some(word) = cursor.word() else { return Err(cursor.expected("a command")) };
        match word.to_ascii_lowercase().as_str() {
            "fields" | "field" => {
                let fields = computed_list(cursor, false)?.0;
                self.fields.extend(fields.iter().map(|field| field.name.to_string()));
                self.commands.push(Command::Fields(fields));
            }
            "display" => {
                let fields = computed_list(cursor, false)?.0;
                self.shown = Some(fields.iter().map(|field| field.name.to_string()).collect());
                self.commands.push(Command::Fields(fields));
            }
            "filter" | "where" => {
                let condition = Reader::new(cursor).expression()?;
                self.commands.push(Command::Filter(condition));
            }
            "parse" => {
                let extraction = extraction(cursor)?;
                self.extracted.extend(extraction.names.iter().map(|(_, name)| name.to_string()));
                self.commands.push(Command::Parse(extraction));
            }
            "stats" => {
                let stats = stats(cursor)?;
                let names = stats.by.iter().chain(&stats.results).map(|field| field.name.to_string());
                self.groups = Some(names.collect());
                self.fields.clear();
                self.extracted.clear();
                self.commands.push(Command::Stats(stats));
            }
            "sort" | "order" => self.commands.push(Command::Sort(sort(cursor)?)),
            "limit" | "head" => self.commands.push(Command::Limit(limit(cursor)?)),
            "dedup" => self.commands.push(Command::Dedup(names(cursor)?)),
            other if OTHER_COMMANDS.contains(&other) => {
                return Err(cursor
                    .error_since(start, format!("the command '{other}' is not supported by this region")));
            }
            other => {
                return Err(
                    cursor.error_since(start, format!("unexpected symbol found: '{other}' is no command"))
                );
            }
        }
        Ok(())
    }
}

/// Expressions with their names, and the aggregates in them where those are allowed.
fn computed_list(
    cursor: &mut Cursor<'_>,
    with_aggregates: bool,
) -> Result<(Vec<Computed>, Vec<crate::aggregate::Aggregate>), Malformed> {
    let mut list = Vec::new();
    let mut reader = Reader::new(cursor);
    reader.aggregates = with_aggregates.then(Vec::new);
    loop {
        reader.cursor.skip_space();
        let start = reader.cursor.at();
        let expression = reader.expression()?;
        let written = reader.cursor.since(start).to_owned();
        let name = if reader.cursor.eat_word("as") {
            reader.cursor.require_name()?
        } else if let Expression::Field(name) = &expression {
            name.clone()
        } else {
            written
        };
        list.push(Computed { name: name.into(), expression: with_time(expression) });
        if !reader.cursor.eat(",") {
            return Ok((list, reader.aggregates.unwrap_or_default()));
        }
    }
}

/// `bin(5m)` is of the event's time.
fn with_time(expression: Expression) -> Expression {
    match expression {
        Expression::Call(function, mut arguments)
            if arguments.len() == 1 && matches!(arguments[0], Expression::Duration(_)) =>
        {
            arguments.insert(0, Expression::Field("@timestamp".to_owned()));
            Expression::Call(function, arguments)
        }
        other => other,
    }
}

fn stats(cursor: &mut Cursor<'_>) -> Result<Stats, Malformed> {
    let start = cursor.at();
    let (results, aggregates) = computed_list(cursor, true)?;
    if aggregates.is_empty() {
        return Err(cursor.error_since(start, "stats needs an aggregate such as count(*)"));
    }
    let by = if cursor.eat_word("by") { computed_list(cursor, false)?.0 } else { Vec::new() };
    Ok(Stats { by, aggregates, results })
}

fn sort(cursor: &mut Cursor<'_>) -> Result<Vec<(Expression, bool)>, Malformed> {
    cursor.eat_word("by");
    let mut keys = Vec::new();
    loop {
        cursor.skip_space();
        let start = cursor.at();
        let mut key = sort_key(cursor)?;
        // Results of stats are sorted by the text that they were written with, such as `count(*)`.
        if !matches!(key, Expression::Field(_) | Expression::Calculate(..)) {
            let written = cursor.since(start).to_owned();
            if matches!(key, Expression::Aggregate(_)) {
                key = Expression::Field(written);
            }
        }
        let ascending = cursor.eat_word("asc");
        if !ascending {
            cursor.eat_word("desc");
        }
        keys.push((key, ascending));
        if !cursor.eat(",") {
            return Ok(keys);
        }
    }
}

fn sort_key(cursor: &mut Cursor<'_>) -> Result<Expression, Malformed> {
    let mut reader = Reader::new(cursor);
    reader.aggregates = Some(Vec::new());
    let start = reader.cursor.at();
    let key = reader.expression()?;
    let has_aggregates = reader.aggregates.is_some_and(|aggregates| !aggregates.is_empty());
    match key {
        Expression::Aggregate(_) => Ok(key),
        _ if has_aggregates => {
            Err(cursor.error_since(start, "name the result of stats and sort by its name"))
        }
        key => Ok(key),
    }
}

fn limit(cursor: &mut Cursor<'_>) -> Result<usize, Malformed> {
    cursor.skip_space();
    let start = cursor.at();
    match cursor.number()? {
        Some((rows, "")) if rows.fract() == 0.0 && (1.0..=MOST_ROWS as f64).contains(&rows) => {
            Ok(rows as usize)
        }
        _ => Err(cursor.error_since(start, format!("limit takes a whole number from 1 to {MOST_ROWS}"))),
    }
}

fn names(cursor: &mut Cursor<'_>) -> Result<Vec<String>, Malformed> {
    let mut names = vec![cursor.require_name()?];
    while cursor.eat(",") {
        names.push(cursor.require_name()?);
    }
    Ok(names)
}

fn extraction(cursor: &mut Cursor<'_>) -> Result<Extraction, Malformed> {
    cursor.skip_space();
    let of = match cursor.peek() {
        Some('"' | '\'' | '/') => Expression::Field("@message".to_owned()),
        _ => Expression::Field(cursor.require_name()?),
    };
    let start = cursor.at();
    let (regex, is_glob) = if let Some(source) = cursor.slashed()? {
        (compile(cursor, start, &source)?, false)
    } else if let Some(glob) = cursor.quoted()? {
        (compile(cursor, start, &of_glob(&glob))?, true)
    } else {
        return Err(cursor.expected("a pattern in quotes or between slashes"));
    };
    let named: Vec<Arc<str>> = if cursor.eat_word("as") {
        names(cursor)?.into_iter().map(Into::into).collect()
    } else if is_glob {
        return Err(cursor.expected("'as'"));
    } else {
        Vec::new()
    };
    let names = group_names(&regex, named);
    match names {
        Some(names) => Ok(Extraction { of, regex, names }),
        None => Err(cursor.error_since(start, "the pattern has not as many groups as there are names")),
    }
}

/// Which group becomes which field: by the names after `as`, or by the names inside the pattern.
fn group_names(regex: &Regex, named: Vec<Arc<str>>) -> Option<Vec<(usize, Arc<str>)>> {
    if named.is_empty() {
        let inside =
            regex.capture_names().enumerate().filter_map(|(index, name)| Some((index, name?.into())));
        let inside: Vec<(usize, Arc<str>)> = inside.collect();
        return (!inside.is_empty()).then_some(inside);
    }
    (regex.captures_len() == named.len() + 1)
        .then(|| named.into_iter().enumerate().map(|(i, n)| (i + 1, n)).collect())
}

/// Each star becomes a group that takes as little as it can, the last one at the end all that is left.
fn of_glob(glob: &str) -> String {
    let pieces: Vec<&str> = glob.split('*').collect();
    let mut source = "(?s)".to_owned();
    for (index, piece) in pieces.iter().enumerate() {
        if index > 0 {
            let last = index + 1 == pieces.len() && piece.is_empty();
            source.push_str(if last { "(.*)" } else { "(.*?)" });
        }
        source.push_str(&regex::escape(piece));
    }
    source
}
