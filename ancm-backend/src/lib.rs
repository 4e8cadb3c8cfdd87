//! Makes a tower service the backend of the ASP.NET Core Module.
