//! A field of a cron expression: which numbers it allows.

/// A set of numbers below 256, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Numbers([u64; 4]);

/// What a field may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) least: u16,
    pub(crate) most: u16,
    /// Names of the numbers from `least` on.
    pub(crate) names: &'static [&'static str],
}

impl Numbers {
    /// Reads `*`, `5`, `1-5`, `*/15`, `0/15`, `1-30/5` and lists of them. Numbers are kept as their distance from the
    /// least.
    pub(crate) fn parse(text: &str, bounds: Bounds) -> Option<Self> {
        let mut numbers = Self::default();
        for part in text.split(',') {
            numbers.add_part(part, bounds)?;
        }
        Some(numbers)
    }

    fn add_part(&mut self, part: &str, bounds: Bounds) -> Option<()> {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(plain(step).filter(|step| *step > 0)?)),
            None => (part, None),
        };
        let (first, last) = match range.split_once('-') {
            Some((first, last)) => (number(first, bounds)?, number(last, bounds)?),
            None if range == "*" => (bounds.least, bounds.most),
            None => {
                let first = number(range, bounds)?;
                // A start with a step goes on to the end.
                (first, if step.is_some() { bounds.most } else { first })
            }
        };
        if first > last {
            return None;
        }
        for value in (first..=last).step_by(usize::from(step.unwrap_or(1))) {
            let offset = usize::from(value - bounds.least);
            *self.0.get_mut(offset / 64)? |= 1 << (offset % 64);
        }
        Some(())
    }

    /// Whether a number is in it, by its distance from the least.
    pub(crate) fn contains(&self, offset: u16) -> bool {
        let offset = usize::from(offset);
        self.0.get(offset / 64).is_some_and(|word| word & (1 << (offset % 64)) != 0)
    }
}

/// A number of the field, or its name.
pub(crate) fn number(text: &str, bounds: Bounds) -> Option<u16> {
    let named = bounds.names.iter().position(|name| name.eq_ignore_ascii_case(text));
    let value = match named {
        Some(index) => bounds.least + u16::try_from(index).ok()?,
        None => plain(text)?,
    };
    (bounds.least..=bounds.most).contains(&value).then_some(value)
}

fn plain(text: &str) -> Option<u16> {
    (!text.is_empty() && text.len() <= 4 && text.bytes().all(|b| b.is_ascii_digit()))
        .then(|| text.parse().ok())?
}
