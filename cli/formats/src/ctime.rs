//! Points in time as file headers write them, in UTC.
//!
//! Calendar from days since 1970-01-01 after H. Hinnant, "chrono-compatible low-level date algorithms"
//! (`civil_from_days`): proleptic Gregorian, exact for every input.

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// As C's `ctime` without its line end: `Sun Nov 22 09:41:27 2026`.
#[must_use]
pub fn ctime_utc(unix_s: u64) -> String {
    let Utc { year, month, day, weekday, clock } = Utc::at(unix_s);
    format!("{} {} {day:2} {clock} {year}", DAYS[weekday], MONTHS[month])
}

/// As ISO 8601 with milliseconds, the form of detector headers: `2026-11-22T09:41:27.000`.
#[must_use]
pub fn iso_utc(unix_s: u64) -> String {
    let Utc { year, month, day, clock, .. } = Utc::at(unix_s);
    format!("{year:04}-{:02}-{day:02}T{clock}.000", month + 1)
}

struct Utc {
    year: u64,
    /// Month, 0 for January.
    month: usize,
    /// Day of the month, from 1.
    day: u64,
    /// Day of the week, 0 for Thursday: 1970-01-01 was one.
    weekday: usize,
    clock: String,
}

impl Utc {
    fn at(unix_s: u64) -> Self {
        let (days, second) = (unix_s / 86_400, unix_s % 86_400);
        // Years that begin in March end with the leap day, so that the lengths of months follow one rule.
        let from_march_0 = days + 719_468;
        let (era, day_of_era) = (from_march_0 / 146_097, from_march_0 % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * day_of_year + 2) / 153;
        let month = (march_month + 2) % 12;
        Self {
            year: year_of_era + era * 400 + u64::from(month < 2),
            month: month as usize,
            day: day_of_year - (153 * march_month + 2) / 5 + 1,
            weekday: (days % 7) as usize,
            clock: format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times() {
        assert_eq!(ctime_utc(0), "Thu Jan  1 00:00:00 1970");
        assert_eq!(ctime_utc(951_825_599), "Tue Feb 29 11:59:59 2000");
        assert_eq!(ctime_utc(1_795_340_487), "Sun Nov 22 09:41:27 2026");
        assert_eq!(iso_utc(1_795_340_487), "2026-11-22T09:41:27.000");
        assert_eq!(iso_utc(4_107_542_400), "2100-03-01T00:00:00.000");
        assert_eq!(iso_utc(1_735_689_599), "2024-12-31T23:59:59.000");
    }

    #[test]
    fn the_last_second_there_is_does_not_overflow() {
        assert!(ctime_utc(u64::MAX).ends_with("584554051223"), "{}", ctime_utc(u64::MAX));
    }
}
