//! Builds the pages of `app/` into `OUT_DIR/ui` and puts the country database beside them.
//!
//! Ways, in this order: `WARDLINE_SKIP_UI=1` (a placeholder page, no database), `WARDLINE_UI_DIST`
//! (the directory `npm run dist` made, for machines without npm), npm. Without npm a debug build
//! gets the placeholder and a release build stops: it must never ship without its pages.

use std::{
    env,
    error::Error,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Where the npm package keeps its database of both address families.
const COUNTRY_DB: &str =
    "node_modules/@ip-location-db/geo-whois-asn-country-mmdb/geo-whois-asn-country.mmdb";

const WAYS_OUT: &str = "npm is needed to build the user interface. Ways out:
  1. install Node.js 20 or newer with npm, and build again;
  2. build the pages elsewhere (cd web/app && npm ci && npm run dist) and set
     WARDLINE_UI_DIST to the absolute path of that web/app/dist;
  3. set WARDLINE_SKIP_UI=1 for a server without its pages.";

fn main() -> Result<()> {
    for path in [
        "src",
        "public",
        "index.html",
        "package.json",
        "package-lock.json",
        "svelte.config.js",
        "tsconfig.json",
        "vite.config.ts",
        ".npmrc",
    ] {
        println!("cargo::rerun-if-changed=app/{path}");
    }
    for name in ["WARDLINE_UI_DIST", "WARDLINE_SKIP_UI", "DOCS_RS"] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    let out = PathBuf::from(variable("OUT_DIR")?);
    let pages = out.join("ui");
    if pages.exists() {
        fs::remove_dir_all(&pages)?;
    }
    fs::create_dir_all(&pages)?;
    write_embed(&out, &pages)?;

    if set("WARDLINE_SKIP_UI") || set("DOCS_RS") {
        return placeholder(
            &out,
            "this build was told to leave it out (WARDLINE_SKIP_UI)",
        );
    }
    if let Some(dist) = env::var_os("WARDLINE_UI_DIST").filter(|value| !value.is_empty()) {
        println!("cargo::rerun-if-changed={}", Path::new(&dist).display());
        return prebuilt(Path::new(&dist), &out);
    }
    let Some(npm) = npm() else {
        if env::var("PROFILE").is_ok_and(|profile| profile == "release") {
            return Err(WAYS_OUT.into());
        }
        return placeholder(&out, "npm was not found when this binary was built");
    };
    build(npm, &out)
}

/// `npm ci` if the installed packages are older than the lock file, then `vite build`.
fn build(npm: &str, out: &Path) -> Result<()> {
    let app = Path::new(&variable("CARGO_MANIFEST_DIR")?).join("app");
    let modified = |path: &str| fs::metadata(app.join(path)).and_then(|file| file.modified());
    let lock = modified("package-lock.json")?;
    let fresh = modified("node_modules/.package-lock.json").is_ok_and(|time| time >= lock);
    if !fresh || !app.join(COUNTRY_DB).exists() {
        // --include=dev: the build needs Vite where NODE_ENV says production too
        let install = [
            "ci",
            "--include=dev",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
        ];
        run(Command::new(npm).args(install).current_dir(&app))?;
    }
    let mut vite = Command::new(npm);
    vite.args(["run", "build", "--", "--emptyOutDir", "--outDir"]);
    run(vite.arg(out.join("ui")).current_dir(&app))?;
    fs::copy(app.join(COUNTRY_DB), out.join("country.mmdb"))?;
    Ok(())
}

/// Takes over what `npm run dist` made: the pages, and `country.mmdb` beside them.
fn prebuilt(dist: &Path, out: &Path) -> Result<()> {
    if !dist.join("index.html").is_file() {
        return Err(format!("WARDLINE_UI_DIST: no index.html in {}", dist.display()).into());
    }
    let pages = out.join("ui");
    copy(dist, &pages)?;
    let database = pages.join("country.mmdb");
    if database.is_file() {
        fs::rename(database, out.join("country.mmdb"))?;
    } else {
        println!("cargo::warning=WARDLINE_UI_DIST has no country.mmdb: no countries by default");
        fs::write(out.join("country.mmdb"), [])?;
    }
    Ok(())
}

fn placeholder(out: &Path, why: &str) -> Result<()> {
    println!("cargo::warning=the user interface is not embedded: {why}");
    let page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Wardline</title>\
         </head><body><main><h1>Wardline</h1><p>This binary has no user interface: {why}. \
         The API and the command line work.</p></main></body></html>\n"
    );
    fs::write(out.join("ui/index.html"), page)?;
    fs::write(out.join("country.mmdb"), [])?;
    Ok(())
}

fn write_embed(out: &Path, pages: &Path) -> Result<()> {
    let folder = pages.to_str().ok_or("OUT_DIR is not UTF-8")?;
    let source = format!("#[derive(RustEmbed)]\n#[folder = {folder:?}]\nstruct Ui;\n");
    fs::write(out.join("embed.rs"), source)?;
    Ok(())
}

fn npm() -> Option<&'static str> {
    let name = if cfg!(windows) { "npm.cmd" } else { "npm" };
    let answer = Command::new(name).arg("--version").output().ok()?;
    answer.status.success().then_some(name)
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    Err(format!("{command:?} failed:\n{out}\n{err}\n\n{WAYS_OUT}").into())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn set(name: &str) -> bool {
    env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0")
}

fn variable(name: &str) -> Result<OsString> {
    env::var_os(name).ok_or_else(|| format!("{name} is not set: run this through cargo").into())
}
