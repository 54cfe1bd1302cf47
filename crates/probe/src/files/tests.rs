use std::fs;
use std::path::PathBuf;

use crate::{Error, FeatureFile, Features, labelled_pair, write_features};

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    fn refused(&self, name: &str, bytes: &[u8]) -> Error {
        FeatureFile::read(&self.write(name, bytes), None).unwrap_err()
    }
}

/// A `.npy` file of a version with a header written out.
fn npy(major: u8, header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY".to_vec();
    bytes.extend([major, 0]);
    if major == 1 {
        bytes.extend((header.len() as u16).to_le_bytes());
    } else {
        bytes.extend((header.len() as u32).to_le_bytes());
    }
    [&bytes, header.as_bytes(), data].concat()
}

fn header(dtype: &str, fortran: &str, shape: &str) -> String {
    format!("{{'descr': '{dtype}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n")
}

fn f32s(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn labels(values: &[i64]) -> Vec<u8> {
    npy(
        1,
        &header("<i8", "False", &format!("({},)", values.len())),
        &values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>(),
    )
}

fn features() -> Features {
    let values = vec![0.1, -2.5, 1e-7, 3.0, 16_777_216.0, -0.0];
    let names = vec!["ring".to_owned(), "star, \"five\"\nlines".to_owned()];
    Features::new(values, 2, vec![1, 0, 1], names).unwrap().with_sources(vec!["a".into(), "b,\n".into(), "c".into()]).unwrap()
}

#[test]
fn features_that_were_written_are_read() {
    let place = Place::new();
    for name in ["f.safetensors", "f.csv", "f.npy"] {
        write_features(&place.path(name), &features()).unwrap();
        let file = FeatureFile::read(&place.path(name), None).unwrap();
        let (train, test) = labelled_pair(file.clone(), file).unwrap();
        assert_eq!((train.values(), train.width()), (features().values(), 2), "{name}");
        assert_eq!(train.labels(), features().labels(), "{name}");
        let names = if name == "f.npy" { vec!["0".to_owned(), "1".into()] } else { features().class_names().to_vec() };
        assert_eq!(train.class_names(), names);
        assert_eq!(train, test);
    }
}

#[test]
fn every_version_and_type_of_npy_is_read() {
    let place = Place::new();
    let wide: Vec<u8> = [1.0_f64, 0.1, -2.0, 4.0].iter().flat_map(|value| value.to_le_bytes()).collect();
    for (major, dtype, data) in [(1, "<f4", f32s(&[1.0, 0.1, -2.0, 4.0])), (2, "<f8", wide.clone()), (3, "<f8", wide)] {
        let path = place.write("f.npy", &npy(major, &header(dtype, "False", "(2, 2)"), &data));
        assert_eq!(FeatureFile::read(&path, None).unwrap().values, [1.0, 0.1, -2.0, 4.0]);
    }
    let path = place.write("f.npy", &npy(1, "{\"shape\":(2,2),\"fortran_order\":False,\"descr\":\"<f4\"}", &f32s(&[1.0; 4])));
    for (dtype, data) in [("<i4", vec![7, 0, 0, 0, 1, 1, 0, 0]), ("|u1", vec![7, 255])] {
        // One dimension has no order, whatever the header calls it.
        let labels = place.write("l.npy", &npy(2, &header(dtype, "True", "(2,)"), &data));
        let read = FeatureFile::read(&path, Some(&labels)).unwrap().labels.unwrap();
        assert_eq!(read, if dtype == "<i4" { [7, 257] } else { [7, 255] });
    }
}

#[test]
fn labels_of_any_numbers_become_classes_named_by_them() {
    let place = Place::new();
    let path = place.write("f.npy", &npy(1, &header("<f4", "False", "(3, 1)"), &f32s(&[1.0, 2.0, 3.0])));
    place.write("f.labels.npy", &labels(&[900, 7, 900]));
    let train = FeatureFile::read(&path, None).unwrap();
    let test = FeatureFile::read(&path, Some(&place.write("t.npy", &labels(&[7, 7, 900])))).unwrap();
    let (train, test) = labelled_pair(train, test).unwrap();
    assert_eq!((train.labels().unwrap(), test.labels().unwrap()), (&[1, 0, 1][..], &[0, 0, 1][..]));
    assert_eq!(train.class_names(), ["7", "900"]);
}

#[test]
fn every_fault_of_an_array_has_its_own_error() {
    let place = Place::new();
    let good = header("<f4", "False", "(2, 2)");
    let data = f32s(&[1.0, 2.0, 3.0, 4.0]);
    let of = |header: &str, data: &[u8]| place.refused("f.npy", &npy(1, header, data));
    assert!(matches!(place.refused("f.npy", b"PK\x03\x04"), Error::NotNpy { .. }));
    assert!(matches!(place.refused("f.npy", b"\x93NUMPY\x01"), Error::FileLength { expected: 8, got: 7, .. }));
    assert!(matches!(place.refused("f.npy", b"\x93NUMPY\x01\x00\x40"), Error::FileLength { .. }));
    assert!(matches!(place.refused("f.npy", b"\x93NUMPY\x01\x00\x40\x00{"), Error::FileLength { expected: 74, got: 11, .. }));
    assert!(matches!(place.refused("f.npy", &npy(4, &good, &data)), Error::NpyVersion { major: 4, minor: 0, .. }));
    assert!(matches!(of(&header("<f4", "True", "(2, 2)"), &data), Error::FortranOrder { .. }));
    assert!(matches!(of(&header("<f2", "False", "(2, 2)"), &data[..8]), Error::Dtype { got, .. } if got == "<f2"));
    assert!(matches!(of(&header(">f4", "False", "(2, 2)"), &data), Error::Dtype { got, .. } if got == ">f4"));
    assert!(matches!(of(&header("<f4", "False", "(4,)"), &data), Error::Shape { got, .. } if got == [4]));
    assert!(matches!(of(&good, &data[..15]), Error::FileLength { expected: 16, got: 15, .. }));
    assert!(matches!(of(&good, &[&data[..], &[0]].concat()), Error::FileLength { expected: 16, got: 17, .. }));
    let vast = header("<f4", "False", &format!("({}, 8)", u64::MAX / 2));
    assert!(matches!(of(&vast, &data), Error::FileLength { expected: usize::MAX, .. }));
    assert!(matches!(of(&header("<f4", "False", "(0, 2)"), &[]), Error::EmptyFile { .. }));
    assert!(matches!(of(&header("<f4", "False", "(2, 0)"), &[]), Error::EmptyFile { .. }));
    for broken in [
        good.replace("descr", "dtype"),
        good.replace("False", "0"),
        good.replace("(2", "(-2"),
        good.replace("'<f4'", "[('a', '<f4')]"),
    ] {
        assert!(matches!(of(&broken, &data), Error::NpyHeader { .. }), "{broken}");
    }
    let nan = f32s(&[1.0, 2.0, f32::NAN, 4.0]);
    assert!(matches!(of(&good, &nan), Error::ValueNotFinite { row: 1, column: 0, value, .. } if value.is_nan()));
    let huge: Vec<u8> = [1.0, 1e300].iter().flat_map(|value: &f64| value.to_le_bytes()).collect();
    let error = of(&header("<f8", "False", "(1, 2)"), &huge);
    assert!(matches!(error, Error::ValueNotFinite { row: 0, column: 1, value: 1e300, .. }), "{error:?}");
    assert!(matches!(FeatureFile::read(&place.path("none.npy"), None), Err(Error::Read { .. })));
    assert!(matches!(FeatureFile::read(&place.path("f.mat"), None), Err(Error::UnknownFormat { .. })));
}

#[test]
fn every_fault_of_labels_has_its_own_error() {
    let place = Place::new();
    let path = place.write("f.npy", &npy(1, &header("<f4", "False", "(2, 1)"), &f32s(&[1.0, 2.0])));
    let refused = |bytes: &[u8]| FeatureFile::read(&path, Some(&place.write("l.npy", bytes))).unwrap_err();
    assert!(matches!(refused(&labels(&[0, 1, 0])), Error::LabelCount { expected: 2, got: 3, .. }));
    assert!(matches!(refused(&labels(&[0, -1])), Error::NegativeLabel { row: 1, label: -1, .. }));
    assert!(matches!(refused(&npy(1, &header("<f4", "False", "(2,)"), &[0; 8])), Error::Dtype { .. }));
    assert!(matches!(refused(&npy(1, &header("<i8", "False", "(2, 1)"), &[0; 16])), Error::Shape { got, .. } if got == [2, 1]));
    assert!(matches!(refused(&labels(&[0, 1])[..83]), Error::FileLength { .. }));
}

#[test]
fn every_fault_of_csv_has_its_own_error() {
    let place = Place::new();
    let refused = |text: &str| place.refused("f.csv", text.as_bytes());
    let missing = |text: &str, column: &str| matches!(refused(text), Error::CsvHeader { missing, .. } if missing == column);
    assert!(missing("label,x\n0,1\n", "f0"));
    assert!(missing("label,f0,f1,f3,f4\n0,1,2,3,4\n", "f2"), "a column taken out is no narrower set of features");
    assert!(missing("label,f1,f2\n0,1,2\n", "f0"));
    assert!(matches!(refused("f0,f1,f1\n1,2,3\n"), Error::CsvTwice { column, .. } if column == "f1"));
    assert!(matches!(refused(""), Error::CsvHeader { .. }));
    assert!(matches!(refused("label,f0\n"), Error::EmptyFile { .. }));
    assert!(matches!(refused("label,f0\n0,1\n0\n"), Error::CsvFields { line: 3, expected: 2, got: 1, .. }));
    let error = refused("label,class,f0\n0,\"a\nb\",1\n0,\"a\nb\",one\n");
    assert!(matches!(&error, Error::CsvValue { line: 4, column, value, .. } if column == "f0" && value == "one"), "{error:?}");
    assert!(matches!(refused("label,f0\n0.5,1\n"), Error::CsvValue { line: 2, .. }));
    assert!(matches!(refused("label,f0\n-3,1\n"), Error::NegativeLabel { row: 0, label: -3, .. }));
    assert!(matches!(refused("label,f0,f1\n0,1,2\n1,inf,2\n"), Error::ValueNotFinite { row: 1, column: 0, .. }));
    let error = refused("label,class,f0\n0,ring,1\n0,star,1\n");
    assert!(matches!(error, Error::CsvClass { line: 3, label: 0, first, second, .. } if first == "ring" && second == "star"));
}

#[test]
fn a_table_that_went_through_a_spreadsheet_is_read_all_the_same() {
    let place = Place::new();
    // A byte order mark in front, columns in another order, other columns between them, lines that end in two characters.
    let path = place.write("f.csv", "\u{feff}label,f1,remark,f0,font\r\n1,2,x,-1,f7\r\n0,4,y,3,f8\r\n".as_bytes());
    let file = FeatureFile::read(&path, None).unwrap();
    assert_eq!((file.values, file.width, file.labels), (vec![-1.0, 2.0, 3.0, 4.0], 2, Some(vec![1, 0])));
}

#[test]
fn every_fault_of_safetensors_has_its_own_error() {
    let place = Place::new();
    assert!(matches!(place.refused("f.safetensors", b"not at all"), Error::NotSafetensors { .. }));
    write_features(&place.path("f.safetensors"), &features()).unwrap();
    let bytes = fs::read(place.path("f.safetensors")).unwrap();
    assert!(matches!(place.refused("cut.safetensors", &bytes[..bytes.len() - 1]), Error::NotSafetensors { .. }));
    let rewritten = |from: &str, to: &str| {
        let at = bytes.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
        place.refused("other.safetensors", &[&bytes[..at], to.as_bytes(), &bytes[at + from.len()..]].concat())
    };
    assert!(matches!(rewritten("\"features\"", "\"featured\""), Error::MissingTensor { name: "features", .. }));
    assert!(matches!(rewritten("F32", "I32"), Error::Dtype { got, .. } if got == "I32"));
    assert!(matches!(rewritten("I64", "F64"), Error::Dtype { got, .. } if got == "F64"));
    assert!(matches!(rewritten("[3,2]", "[  6]"), Error::Shape { got, .. } if got == [6]));
    let mut nan = bytes.clone();
    let at = bytes.windows(4).rposition(|window| window == 3.0_f32.to_le_bytes()).unwrap();
    nan[at..at + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(matches!(place.refused("nan.safetensors", &nan), Error::ValueNotFinite { row: 1, column: 1, .. }));
}

#[test]
fn files_that_do_not_belong_together_are_refused() {
    let place = Place::new();
    let file = |name: &str, text: &str| FeatureFile::read(&place.write(name, text.as_bytes()), None).unwrap();
    let train = file("a.csv", "label,class,f0\n0,ring,1\n2,star,2\n");
    let pair = |test: &str| labelled_pair(train.clone(), file("b.csv", test)).unwrap_err();
    assert!(matches!(pair("f0\n1\n"), Error::Unlabelled { what } if what.ends_with("b.csv")));
    assert!(matches!(pair("label,f0,f1\n0,1,1\n"), Error::WidthDiffers { train: 1, test: 2 }));
    assert!(matches!(pair("label,f0\n2,1\n0,1\n1,1\n"), Error::NotInTraining { row: 2, label: 1, .. }));
    let error = pair("label,class,f0\n2,cross,1\n");
    assert!(matches!(error, Error::ClassNameDiffers { label: 2, train, test } if train == "star" && test == "cross"));
    let (_, test) = labelled_pair(train, file("c.csv", "label,f0\n2,1\n")).unwrap();
    assert_eq!((test.class_names(), test.labels().unwrap()), (&["ring".to_owned(), "star".into()][..], &[1][..]));
}
