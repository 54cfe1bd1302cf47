//! Pages as a browser lays them out: nothing comes from outside or is missing, no text lies over another or is cut off.
//!
//! Needs a Chromium on the path, or at `RELATA_BROWSER`; without one the tests are skipped, and say so.

#[path = "../../examples/demo_report/made_up.rs"]
mod made_up;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The environment variable that names a browser.
const VARIABLE: &str = "RELATA_BROWSER";
const NAMES: [&str; 5] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];

/// What looks for faults from inside a page.
const SCRIPT: &str = include_str!("faults.html");

/// A desk and a phone; headless Chromium goes no narrower than 500.
const WINDOWS_PX: [(u32, u32); 2] = [(1280, 900), (500, 900)];

/// The browser there is; `None` after a line that says that the test is skipped.
fn browser(test: &str) -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(VARIABLE) {
        let path = PathBuf::from(named);
        assert!(path.is_file(), "{VARIABLE} is set, but {} is not a file", path.display());
        return Some(path);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).flat_map(|folder| NAMES.map(|name| folder.join(name))).find(|path| path.is_file());
    if found.is_none() {
        // Past the capture of the test harness, so that the skip is seen and counted.
        let _ = writeln!(std::io::stderr(), "SKIPPED {test}: no Chromium on the path, and {VARIABLE} is not set");
    }
    found
}

/// What is wrong with a page in a window, one line each, and how many texts were looked at.
fn faults(browser: &Path, page: &str, window_px: (u32, u32)) -> (usize, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.html");
    std::fs::write(&file, page.replace("</body>", &format!("{SCRIPT}</body>"))).unwrap();
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run"])
        .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
        .arg(format!("--window-size={},{}", window_px.0, window_px.1))
        .arg("--dump-dom")
        .arg(format!("file://{}", file.display()))
        .env("HOME", folder.path())
        .stdin(Stdio::null())
        .output()
        .expect("the browser starts");
    let dom = String::from_utf8_lossy(&output.stdout);
    let found = dom.rsplit_once("<pre id=\"faults\">").and_then(|(_, rest)| rest.split_once("</pre>"));
    let Some((text, _)) = found else {
        panic!("the browser did not come to the end of the page: {}", String::from_utf8_lossy(&output.stderr));
    };
    let mut lines = text.lines();
    let texts = lines.next().and_then(|line| line.strip_suffix(" texts")?.parse().ok()).expect("a number of texts");
    (texts, lines.map(str::to_owned).collect())
}

#[test]
fn pages_are_whole_and_no_text_lies_over_another() {
    let Some(browser) = browser("pages_are_whole_and_no_text_lies_over_another") else { return };
    let folder = tempfile::tempdir().unwrap();
    let runs = made_up::runs(folder.path()).unwrap();
    let mut pages: Vec<_> = runs.iter().map(|run| (run.name(), relata_report::render_run(run).unwrap())).collect();
    pages.push(("comparison".to_owned(), relata_report::render_comparison(&runs).unwrap()));
    for (name, page) in pages {
        for window in WINDOWS_PX {
            let (texts, faults) = faults(&browser, &page, window);
            assert!(texts > 100, "{name} at {window:?}: only {texts} texts");
            assert!(faults.is_empty(), "{name} at {window:?}: {faults:#?}");
        }
    }
}

#[test]
fn a_page_with_faults_is_told_from_a_good_one() {
    let Some(browser) = browser("a_page_with_faults_is_told_from_a_good_one") else { return };
    let body = |text: &str| format!("<!DOCTYPE html><html><body>{text}</body></html>");
    let of = |text: &str| faults(&browser, &body(text), WINDOWS_PX[0]).1;
    let good =
        r#"<p>one</p><p>two</p><svg viewBox="0 0 90 20"><text x="5" y="15">three</text><text x="50" y="15">four</text></svg>"#;
    assert_eq!(of(good), Vec::<String>::new());
    for (bad, fault) in [
        (r#"<p style="position:absolute;top:0">one</p><p style="position:absolute;top:2px">two</p>"#, "overlap"),
        (r#"<svg viewBox="0 0 90 20"><text x="5" y="15">one</text><text x="8" y="15">two</text></svg>"#, "overlap"),
        (r#"<svg viewBox="0 0 90 20"><text x="80" y="15">longer than that</text></svg>"#, "cut off"),
        (r#"<img src="missing.png">"#, "outside"),
        (r#"<img src="data:image/png;base64,AAAA">"#, "broken picture"),
        (r#"<svg><image href="data:image/png;base64,AAAA"/></svg>"#, "broken picture"),
        (r##"<svg><use href="#nothing"/></svg>"##, "nowhere"),
        (r#"<div style="width:3000px">wide</div>"#, "wider than the window"),
    ] {
        assert!(of(bad).iter().any(|line| line.starts_with(fault)), "{bad}: {:?}", of(bad));
    }
}
