//! One span and one line for each request.
