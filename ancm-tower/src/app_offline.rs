//! Answers 503 with a page while the application is offline.
