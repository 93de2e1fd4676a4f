//! Lists `rules/<area>/*.yml` for `shipped()`: a rule is added by adding its file.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("rules");
    announce(&root);
    let mut files = Vec::new();
    for area in sorted(&root)? {
        if area.is_dir() {
            announce(&area);
            files.extend(
                sorted(&area)?
                    .into_iter()
                    .filter(|f| f.extension().is_some_and(|e| e == "yml")),
            );
        }
    }
    let mut list = String::from("&[\n");
    for file in files {
        let name = file
            .strip_prefix(&root)?
            .to_string_lossy()
            .replace('\\', "/");
        let path = file.to_string_lossy().into_owned();
        writeln!(list, "    ({name:?}, include_str!({path:?})),")?;
    }
    list.push(']');
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("shipped.rs"), list)?;
    Ok(())
}

fn sorted(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = fs::read_dir(folder)?
        .map(|e| e.map(|e| e.path()))
        .collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

fn announce(path: &Path) {
    println!("cargo:rerun-if-changed={}", path.display());
}
