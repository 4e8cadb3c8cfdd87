//! Refuses request heads that the backend would refuse.
