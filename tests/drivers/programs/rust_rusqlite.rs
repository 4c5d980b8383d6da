//! rusqlite, and r2d2's pool of its connections.
use r2d2_sqlite::SqliteConnectionManager;
use rusqlite::types::ValueRef;
use rusqlite::{params_from_iter, Connection, LoadExtensionGuard, Result, ToSql};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::{error::Error, fs, str, thread, time::Duration};

fn text(value: ValueRef) -> String {
    match value {
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Text(text) => str::from_utf8(text).unwrap().to_string(),
        ValueRef::Blob(blob) => {
            let floats = blob.chunks(4).map(|four| f32::from_le_bytes(four.try_into().unwrap()));
            floats.map(|number| number.to_string()).collect::<Vec<_>>().join(" ")
        }
        other => format!("{other:?}"),
    }
}

fn rows(db: &Connection, sql: &str, values: &[&dyn ToSql]) -> Result<Vec<String>> {
    let mut statement = db.prepare(sql)?;
    let n = statement.column_count();
    let found = statement.query_map(params_from_iter(values), |row| {
        Ok((0..n).map(|i| text(row.get_ref_unwrap(i))).collect::<Vec<_>>().join("|"))
    })?;
    found.collect()
}

fn number(value: &str) -> Box<dyn ToSql> {
    match value.parse::<i64>() {
        Ok(whole) => Box::new(whole),
        Err(_) => Box::new(value.parse::<f64>().unwrap()),
    }
}

fn vector(values: &str) -> Vec<u8> {
    let floats: Vec<f32> = values.split(' ').map(|value| value.parse().unwrap()).collect();
    VECTOR
    vector
}

fn stop(db: &Connection, sql: &str) -> String {
    let (handle, over) = (db.get_interrupt_handle(), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Relaxed) {
                thread::sleep(Duration::from_millis(100));
                handle.interrupt();
            }
        });
        let result = rows(db, sql, &[]);
        over.store(true, Relaxed);
        match result {
            Err(error) if error.to_string().contains("interrupted") => "stopped".to_string(),
            other => format!("{other:?}"),
        }
    })
}

fn pool(size: u32, sql: &str) -> std::result::Result<Vec<String>, Box<dyn Error>> {
    let manager = SqliteConnectionManager::file("movies.db").with_init(|db| unsafe {
        let _guard = LoadExtensionGuard::new(db)?;
        db.load_extension("build/rerank", None::<&str>)
    });
    let pool = r2d2::Pool::builder().max_size(size).build(manager)?;
    let held = (0..size).map(|_| pool.get()).collect::<std::result::Result<Vec<_>, _>>()?;
    Ok(held.iter().map(|db| rows(db, sql, &[])).collect::<Result<Vec<_>>>()?.concat())
}

fn step(db: &Connection, words: &[&str]) -> std::result::Result<Vec<String>, Box<dyn Error>> {
    Ok(match words {
        ["run", sql] => db.execute_batch(sql).map(|_| vec![])?,
        ["rows", sql] => rows(db, sql, &[])?,
        ["text", value, sql] => rows(db, sql, &[value])?,
        ["number", value, sql] => rows(db, sql, &[&number(value)])?,
        ["vector", values, sql] => rows(db, sql, &[&vector(values)])?,
        ["fail", sql] => match rows(db, sql, &[]) {
            Err(error) => vec![format!("error: {error}")],
            Ok(_) => vec!["no error".to_string()],
        },
        ["stop", sql] => vec![stop(db, sql)],
        ["pool", size, sql] => pool(size.parse()?, sql)?,
        _ => vec![format!("{words:?}?")],
    })
}

fn main() -> std::result::Result<(), Box<dyn Error>> {
    SNIPPET
    println!("{title}");
    for line in fs::read_to_string("steps.tsv")?.lines() {
        for text in step(&db, &line.split('\t').collect::<Vec<_>>())? {
            println!("{text}");
        }
    }
    Ok(())
}
