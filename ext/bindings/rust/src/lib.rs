//! The SQLite extension rerank, built into the program: `semantic_index`, `embed()`, `rerank()`.
//!
//! [`rerank_init`] is an entry point of SQLite's, of whatever types a crate declares for it, so that
//! every connection that is opened later has the extension. With rusqlite:
//!
//! ```ignore
//! use rusqlite::{ffi::sqlite3_auto_extension, Connection};
//! unsafe { sqlite3_auto_extension(Some(sqlite_rerank::rerank_init)) };
//! let db = Connection::open("notes.db")?;
//! ```
//!
//! With sqlx the function is `libsqlite3_sys::sqlite3_auto_extension`.
#![no_std]

use core::ffi::{c_int, c_void};

extern "C" {
    fn sqlite3_rerank_auto_init(db: *mut c_void, message: *mut c_void, api: *const c_void) -> c_int;
}

/// Registers all of the extension with a connection. Where it cannot start, as with a setting in
/// the environment that it does not know, its functions answer why.
///
/// # Safety
/// To be called by SQLite alone: a connection, where a message goes, and SQLite's functions.
pub unsafe extern "C" fn rerank_init<Db, Message, Api>(
    db: *mut Db,
    message: *mut Message,
    api: *const Api,
) -> c_int {
    sqlite3_rerank_auto_init(db.cast(), message.cast(), api.cast())
}
