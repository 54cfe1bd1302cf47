use super::*;
use std::io::Write;

/// Written by PyTorch 2.9:
/// ```python
/// base = torch.arange(12, dtype=torch.float32).reshape(3, 4) / 8
/// torch.save({
///     "student": {"inner": collections.OrderedDict([
///         ("transposed.weight", base.t()),
///         ("row.weight", torch.nn.Parameter(base[1])),                        # _rebuild_parameter
///         ("permuted.weight", torch.arange(24, dtype=torch.float64).reshape(2, 3, 4).permute(2, 0, 1)),
///         ("repeated.weight", torch.tensor([1.5, -2.0]).expand(3, 2)),        # strides 0, 1
///         ("buffer", torch.nn.Buffer(torch.tensor([0.5, 3.0], dtype=torch.bfloat16))),  # _rebuild_from_type_v2
///         ("mask", torch.tensor([True, False])),
///     ])},
///     "seed": 2**64 - 1,                                                      # nine bytes
///     "epoch": 9,
/// }, "views.pth")
/// ```
const VIEWS: &[u8] = include_bytes!("views.pth");
/// Written by PyTorch 2.9 after `torch.serialization.set_crc32_options(False)`:
/// `torch.save({"weight": torch.arange(6, dtype=torch.float32).reshape(2, 3) / 8}, "unchecked.pth")`
const UNCHECKED: &[u8] = include_bytes!("unchecked.pth");
const LEGACY: &[u8] = include_bytes!("../legacy.pth");

fn text(text: &str) -> Vec<u8> {
    [b"X".as_slice(), &(text.len() as u32).to_le_bytes(), text.as_bytes()].concat()
}

fn class(module: &str, name: &str) -> Vec<u8> {
    format!("c{module}\n{name}\n").into_bytes()
}

fn long(value: i64) -> Vec<u8> {
    [&[0x8a, 8], value.to_le_bytes().as_slice()].concat()
}

fn tuple(parts: &[Vec<u8>]) -> Vec<u8> {
    [b"(".as_slice(), &parts.concat(), b"t"].concat()
}

fn longs(values: &[i64]) -> Vec<u8> {
    tuple(&values.iter().map(|&value| long(value)).collect::<Vec<_>>())
}

fn reduce(module: &str, name: &str, arguments: &[Vec<u8>]) -> Vec<u8> {
    [class(module, name), tuple(arguments), b"R".to_vec()].concat()
}

/// Storage 0, of six f32.
fn storage() -> Vec<u8> {
    [tuple(&[text("storage"), class("torch", "FloatStorage"), text("0"), text("cpu"), long(6)]), b"Q".to_vec()].concat()
}

fn tensor(first: i64, shape: &[i64], strides: &[i64]) -> Vec<u8> {
    reduce("torch._utils", "_rebuild_tensor_v2", &[storage(), long(first), longs(shape), longs(strides)])
}

fn pickle(object: &[u8]) -> Vec<u8> {
    [&[0x80, 2], object, b"."].concat()
}

fn dictionary(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let entries: Vec<u8> = entries.iter().flat_map(|(name, value)| [text(name), value.clone(), b"s".to_vec()].concat()).collect();
    [b"}".to_vec(), entries].concat()
}

/// The object in both formats, with storage 0 holding 0 to 5.
fn files(object: &[u8]) -> [Vec<u8>; 2] {
    let numbers: Vec<u8> = (0..6_u8).flat_map(|value| f32::from(value).to_le_bytes()).collect();
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, bytes) in [("x/data.pkl", &pickle(object)), ("x/data/0", &numbers)] {
        zip.start_file(name, stored).unwrap();
        zip.write_all(bytes).unwrap();
    }
    let keys = [b"]".to_vec(), text("0"), b"a".to_vec()].concat();
    let legacy = [
        LEGACY_MAGIC.to_vec(),
        pickle(&long(1001)),
        pickle(b"}"),
        pickle(object),
        pickle(&keys),
        6_u64.to_le_bytes().to_vec(),
        numbers,
    ];
    [zip.finish().unwrap().into_inner(), legacy.concat()]
}

fn read(file: &[u8]) -> Outcome<Vec<TorchTensor>> {
    if file.starts_with(&LEGACY_MAGIC) { read_legacy(file) } else { read_zip(file) }
}

fn read_both(object: &[u8]) -> [Outcome<Vec<TorchTensor>>; 2] {
    files(object).map(|file| read(&file))
}

#[test]
fn views_parameters_and_subclasses_are_read_from_dictionaries_of_any_name() {
    let mut tensors = read_zip(VIEWS).unwrap();
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    let found: Vec<_> =
        tensors.iter().map(|tensor| (tensor.name.strip_prefix("student.inner.").unwrap(), tensor.shape.as_slice())).collect();
    let expected: [(&str, &[usize]); 5] = [
        ("buffer", &[2]),
        ("permuted.weight", &[4, 2, 3]),
        ("repeated.weight", &[3, 2]),
        ("row.weight", &[4]),
        ("transposed.weight", &[4, 3]),
    ];
    assert_eq!(found, expected, "the mask of booleans is passed over");
    let permuted: Vec<f32> = (0..24).map(|at| (at % 3 * 4 + at / 3 % 2 * 12 + at / 6) as f32).collect();
    assert_eq!(tensors[0].data, [0.5, 3.0]);
    assert_eq!(tensors[1].data, permuted);
    assert_eq!(tensors[2].data, [1.5, -2.0, 1.5, -2.0, 1.5, -2.0]);
    assert_eq!(tensors[3].data, [0.5, 0.625, 0.75, 0.875]);
    assert_eq!(tensors[4].data, [0.0, 4.0, 8.0, 1.0, 5.0, 9.0, 2.0, 6.0, 10.0, 3.0, 7.0, 11.0].map(|value| value / 8.0));
}

#[test]
fn a_storage_whose_bytes_changed_is_damaged() {
    let mut bytes = VIEWS.to_vec();
    let numbers: Vec<u8> = (0..12).flat_map(|at| (at as f32 / 8.0).to_le_bytes()).collect();
    let at = bytes.windows(numbers.len()).position(|window| window == numbers).unwrap();
    bytes[at + 5] ^= 1;
    assert!(read_zip(&bytes).is_err());
}

#[test]
fn a_file_that_was_written_without_checksums_is_read() {
    let tensors = read_zip(UNCHECKED).unwrap();
    assert_eq!((tensors.len(), tensors[0].name.as_str(), &tensors[0].shape[..]), (1, "weight", &[2, 3][..]));
    assert_eq!(tensors[0].data, [0.0, 0.125, 0.25, 0.375, 0.5, 0.625]);
}

#[test]
fn a_view_that_would_grow_beyond_its_file_is_refused_before_it_grows() {
    let repeated = dictionary(&[("w", tensor(5, &[3, 2], &[0, 0]))]);
    for tensors in read_both(&repeated) {
        assert_eq!(tensors.unwrap()[0].data, [5.0; 6]);
    }
    for object in [
        tensor(0, &[1 << 40], &[0]),
        tensor(0, &[1 << 20, 1 << 20, 1 << 20, 1 << 20], &[0, 0, 0, 0]),
        tensor(0, &[2, 1 << 40], &[1, 0]),
        tensor(0, &[2], &[i64::MAX]),
        tensor(i64::MAX, &[1], &[1]),
        tensor(5, &[2], &[1]),
        tensor(0, &[3, 2], &[2, 2]),
    ] {
        for tensors in read_both(&dictionary(&[("w", object.clone())])) {
            assert!(tensors.is_err(), "{tensors:?}");
        }
    }
    // Each alone is as large as is allowed; all together are not.
    let entries: Vec<(&str, Vec<u8>)> = ["a", "b", "c"].map(|name| (name, tensor(0, &[1 << 19], &[0]))).into();
    assert!(read_both(&dictionary(&entries)).iter().all(Result::is_err));
    assert!(read_both(&dictionary(&entries[..1])).iter().all(Result::is_ok));
}

#[test]
fn a_tensor_without_elements_needs_no_storage_and_one_of_a_single_axis_any_stride() {
    for tensors in read_both(&dictionary(&[("w", tensor(i64::MAX, &[0, 1 << 40], &[1, 1]))])) {
        assert_eq!(tensors.unwrap(), [TorchTensor { name: "w".to_owned(), shape: vec![0, 1 << 40], data: vec![] }]);
    }
    for tensors in read_both(&dictionary(&[("w", tensor(2, &[1, 2], &[i64::MAX, 1]))])) {
        assert_eq!(tensors.unwrap()[0].data, [2.0, 3.0]);
    }
}

#[test]
fn what_describes_no_tensor_where_one_should_be_is_an_error_that_names_it() {
    let rebuild = |arguments: &[Vec<u8>]| reduce("torch._utils", "_rebuild_tensor_v2", arguments);
    let persistent = |parts: &[Vec<u8>]| [tuple(parts), b"Q".to_vec()].concat();
    let float = class("torch", "FloatStorage");
    let two = longs(&[2]);
    for object in [
        rebuild(&[]),
        rebuild(&[storage(), long(0), two.clone()]),
        rebuild(&[storage(), long(-1), two.clone(), two.clone()]),
        rebuild(&[storage(), text("0"), two.clone(), two.clone()]),
        rebuild(&[storage(), long(0), long(2), two.clone()]),
        rebuild(&[storage(), long(0), longs(&[-2]), two.clone()]),
        rebuild(&[storage(), long(0), longs(&[1, 2]), longs(&[1])]),
        rebuild(&[storage(), long(0), longs(&[1; 65]), longs(&[1; 65])]),
        rebuild(&[long(0), long(0), two.clone(), two.clone()]),
        rebuild(&[persistent(&[]), long(0), two.clone(), two.clone()]),
        rebuild(&[persistent(&[text("storage"), float.clone()]), long(0), two.clone(), two.clone()]),
        rebuild(&[persistent(&[text("storage"), float.clone(), long(0)]), long(0), two.clone(), two.clone()]),
        // A part of another storage, as PyTorch 0.3 wrote them.
        rebuild(&[
            persistent(&[text("storage"), float, text("0"), text("cpu"), long(2), tuple(&[text("1"), long(0), long(2)])]),
            long(0),
            two.clone(),
            longs(&[1]),
        ]),
        [class("torch._utils", "_rebuild_tensor_v2"), long(1), b"R".to_vec()].concat(),
        reduce("torch._utils", "_rebuild_parameter", &[]),
        reduce("torch._tensor", "_rebuild_from_type_v2", &[class("torch._utils", "_rebuild_tensor_v2")]),
        reduce(
            "torch._tensor",
            "_rebuild_from_type_v2",
            &[class("torch._utils", "_rebuild_tensor_v2"), class("torch", "Tensor"), tuple(&[])],
        ),
    ] {
        for tensors in read_both(&dictionary(&[("weight", object.clone())])) {
            assert!(tensors.as_ref().is_err_and(|reason| reason.starts_with("tensor weight")), "{tensors:?}");
        }
    }
    let absent = persistent(&[text("storage"), class("torch", "FloatStorage"), text("1"), text("cpu"), long(6)]);
    assert!(read_both(&dictionary(&[("w", rebuild(&[absent, long(0), two.clone(), longs(&[1])]))])).iter().all(Result::is_err));
}

#[test]
fn pickles_that_only_grow_or_nest_are_refused() {
    // `x = (x, x)`, forty times over.
    let doubled = [text("x"), b"q\x01".to_vec(), b"h\x01\x86q\x01".repeat(40)].concat();
    let nested = [b"]".to_vec(), b"\x85".repeat(1_000_000)].concat();
    let in_lists = [b"]".repeat(200), b"a".repeat(199)].concat();
    let reduced = [b"N".repeat(200), b"R".repeat(199)].concat();
    let long_text = [b"X".as_slice(), &u32::MAX.to_le_bytes(), b"abc"].concat();
    let long_integer = b"\x8a\xff0123456789abcdef".to_vec();
    let long_name = dictionary(&[(&"n".repeat(2000), tensor(0, &[1], &[1]))]);
    for object in [&doubled, &nested, &in_lists, &reduced, &long_text, &long_integer, &long_name] {
        assert!(read_both(object).iter().all(Result::is_err), "{:?}", &object[..20.min(object.len())]);
    }
    // As many entries as one likes lie side by side.
    let names: Vec<String> = (0..5000).map(|at| format!("w{at}")).collect();
    let entries: Vec<(&str, Vec<u8>)> = names.iter().map(|name| (name.as_str(), tensor(0, &[1], &[1]))).collect();
    assert!(read_both(&dictionary(&entries)).iter().all(|tensors| tensors.as_ref().is_ok_and(|tensors| tensors.len() == 5000)));
}

#[test]
fn no_changed_byte_makes_a_reader_panic() {
    // The zip file's checksums would find a change in its pickle before the pickle is read, so that is changed on its own.
    let mut zip = ZipArchive::new(Cursor::new(VIEWS)).unwrap();
    let object = entry(&mut zip, "views/data.pkl", LONGEST_PICKLE).unwrap().unwrap();
    let legacy = |object: &[u8]| [LEGACY_MAGIC.as_slice(), &pickle(&long(1001)), &pickle(b"}"), object, &pickle(b"]")].concat();
    for (whole, skipped) in [(LEGACY.to_vec(), LEGACY_MAGIC.len()), (VIEWS.to_vec(), 0), (legacy(&object), LEGACY_MAGIC.len())] {
        for at in skipped..whole.len() {
            for change in [0x00, 0x01, 0x80, 0xff, b'R', b'.', b'(', b't', b'h'] {
                let mut bytes = whole.clone();
                bytes[at] = if change <= 1 { bytes[at] ^ change } else { change };
                let _ = read(&bytes);
            }
        }
    }
}
