// The extension from its one C file. It takes SQLite's functions from who calls rerank_init(), so
// it works with any SQLite that the program links, and needs none here but its headers.
fn main() {
    println!("cargo:rerun-if-changed=c");
    cc::Build::new()
        .file("c/rerank.c")
        .include("c")
        .opt_level(2)
        .warnings(false)
        .compile("rerank");
    if std::env::var("CARGO_CFG_UNIX").is_ok() {
        println!("cargo:rustc-link-lib=m");
        println!("cargo:rustc-link-lib=pthread");
        println!("cargo:rustc-link-lib=dl");
    }
}
