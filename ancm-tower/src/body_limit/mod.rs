//! Refuses request bodies over a limit with 413.
