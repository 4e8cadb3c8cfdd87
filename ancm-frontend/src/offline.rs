//! Watches for app_offline.htm.
