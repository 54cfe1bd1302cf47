//! `data fetch --hub`.

use crate::Place;

#[cfg(not(feature = "hub"))]
#[test]
fn a_build_without_the_hub_says_how_to_do_without_or_with_it() {
    let place = Place::new();
    place.run(&["data", "fetch", "cifar10", "--hub"]).failed(2, &["cifar10", "--features hub"]);
    assert!(!place.path("datasets").exists());
}

#[cfg(feature = "hub")]
mod with_it {
    use std::fs;
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::sync::mpsc::channel;
    use std::thread;

    use crate::Place;

    /// A token of the user's lies where the hub's own tools put it, and none in the environment.
    #[test]
    fn the_home_folder_is_left_alone_and_a_failure_says_what_to_do() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (tell, heard) = channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let lines = BufReader::new(&stream).lines().map_while(Result::ok);
                let request: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
                let _ = tell.send(request);
                let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            }
        });
        let place = Place::new();
        let home = place.path("home");
        let token = home.join(".cache/huggingface/token");
        fs::create_dir_all(token.parent().unwrap()).unwrap();
        fs::write(&token, "hf_secret").unwrap();
        let mut command = place.command(&["data", "fetch", "cifar10", &format!("--hub={endpoint}"), "data.root=sets"]);
        command.env("HOME", &home);
        for name in ["HF_HOME", "HF_TOKEN", "HF_TOKEN_PATH", "HF_HUB_CACHE", "XDG_CACHE_HOME", "HF_HUB_DISABLE_IMPLICIT_TOKEN"] {
            command.env_remove(name);
        }
        let archive = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz";
        let md5 = "MD5 c32a1d4ab5d03f1284b67883e8d87530";
        crate::Ended::new(command.output().unwrap()).failed(1, &[&endpoint, archive, md5, "sets/cifar-10-binary.tar.gz"]);

        let request = heard.recv().unwrap();
        assert!(request[0].starts_with("GET /api/datasets/uoft-cs/cifar10/revision/"), "{request:?}");
        assert!(request.iter().all(|line| !line.contains("hf_secret") && !line.to_lowercase().starts_with("authorization")));
        let mut left: Vec<_> = walk(&home);
        left.sort();
        assert_eq!(left, [home.join(".cache"), home.join(".cache/huggingface"), token]);
        assert!(!place.path("sets/cifar-10-batches-bin").exists());
    }

    fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.flat_map(|path| if path.is_dir() { [walk(&path), vec![path]].concat() } else { vec![path] }).collect()
    }

    #[test]
    fn what_the_hub_is_not_asked_for_is_said() {
        let place = Place::new();
        place.run(&["data", "fetch", "stl10", "--hub"]).failed(2, &["cifar10, cifar100, supercifar100", "stl10"]);
        place.run(&["data", "fetch", "shapes", "--hub"]).failed(2, &["needs no download"]);
    }
}
