//! Where a statement stands in the text of its policy, as the simulator shows it.

use crate::shapes::Position;
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow, rename = "Statement")]
    statement: &'a RawValue,
}

/// Start and end of a statement, counted from 0 in the policy; lines and columns are counted from 1.
pub(crate) fn of_statement(document: &str, index: usize) -> Option<(Position, Position)> {
    let parsed: Document<'_> = serde_json::from_str(document).ok()?;
    let all = parsed.statement.get();
    let statement = match serde_json::from_str::<Vec<&RawValue>>(all) {
        Ok(list) => list.get(index)?.get(),
        Err(_) if index == 0 => all,
        Err(_) => return None,
    };
    // The statement is a part of the document, so the distance of their starts is its place there.
    let start = (statement.as_ptr() as usize).checked_sub(document.as_ptr() as usize)?;
    let end = start + statement.len();
    Some((position(document.get(..start)?), position(document.get(..end)?)))
}

fn position(before: &str) -> Position {
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Position { line: i32::try_from(line).ok(), column: i32::try_from(column).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(document: &str, index: usize) -> Option<[i32; 4]> {
        let (start, end) = of_statement(document, index)?;
        Some([start.line?, start.column?, end.line?, end.column?])
    }

    #[test]
    fn statements_are_found_in_lists_and_alone() {
        let list = "{\"Statement\": [\n  {\"a\":1},\n  {\"b\":\n2}]}";
        assert_eq!(at(list, 0), Some([2, 3, 2, 10]));
        assert_eq!(at(list, 1), Some([3, 3, 4, 3]));
        assert_eq!(at(list, 2), None);
        assert_eq!(at("{\"Statement\":{}}", 0), Some([1, 14, 1, 16]));
        assert_eq!(at("{\"Statement\":{}}", 1), None);
        assert_eq!(at("nonsense", 0), None);
    }
}
