use proptest::prelude::*;

use super::*;

fn tensor(name: &str, shape: &[usize], data: &[f32]) -> NamedTensor {
    NamedTensor { name: name.to_owned(), shape: shape.to_vec(), data: data.to_vec() }
}

fn example() -> Checkpoint {
    Checkpoint {
        tensors: vec![
            tensor("relation.linear1.weight", &[2, 3], &[0.0, -0.0, 1.5, f32::MIN_POSITIVE, f32::NAN, f32::INFINITY]),
            tensor("backbone.conv1.weight", &[1], &[7.0]),
            tensor("optimizer.empty", &[0, 4], &[]),
            tensor("optimizer.step", &[], &[12.0]),
        ],
        metadata: BTreeMap::from([("epoch".to_owned(), "7".to_owned()), ("note".to_owned(), "quotes \" and\nlines".to_owned())]),
    }
}

fn bits(checkpoint: &Checkpoint) -> Vec<(String, Vec<usize>, Vec<u32>)> {
    let bits_of = |tensor: &NamedTensor| tensor.data.iter().map(|value| value.to_bits()).collect();
    checkpoint.tensors.iter().map(|t| (t.name.clone(), t.shape.clone(), bits_of(t))).collect()
}

#[test]
fn order_names_bits_and_metadata_survive() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("last.safetensors");
    let saved = example();
    saved.save(&path).unwrap();
    let loaded = Checkpoint::load(&path).unwrap();
    assert_eq!(bits(&loaded), bits(&saved));
    assert_eq!(loaded.metadata, saved.metadata);
    assert_eq!(read_checkpoint_metadata(&path).unwrap(), saved.metadata);
    assert_eq!(loaded.with_prefix("backbone.").map(|(name, _)| name).collect::<Vec<_>>(), ["conv1.weight"]);
}

#[test]
fn the_same_values_give_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b] = ["a", "b"].map(|name| folder.path().join(name));
    example().save(&a).unwrap();
    example().save(&b).unwrap();
    assert_eq!(fs::read(a).unwrap(), fs::read(b).unwrap());
}

#[cfg(unix)]
#[test]
fn what_cannot_be_read_is_not_called_damaged() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(read_checkpoint_metadata(folder.path()), Err(Error::Io { action: "read", .. })));
    let path = folder.path().join("short.safetensors");
    fs::write(&path, [0; 7]).unwrap();
    assert!(matches!(read_checkpoint_metadata(&path), Err(Error::Damaged { .. })));
}

#[test]
fn the_safetensors_crate_reads_what_is_written_and_the_other_way_round() {
    use safetensors::tensor::{TensorView, serialize};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("theirs.safetensors");
    let bytes: Vec<u8> = [1.0_f32, 2.0].into_iter().flat_map(f32::to_le_bytes).collect();
    let view = TensorView::new(Dtype::F32, vec![2], &bytes).unwrap();
    fs::write(&path, serialize([("w", view)], None).unwrap()).unwrap();
    assert_eq!(Checkpoint::load(&path).unwrap().tensors, [tensor("w", &[2], &[1.0, 2.0])]);

    example().save(&path).unwrap();
    let bytes = fs::read(&path).unwrap();
    let theirs = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(theirs.tensor("backbone.conv1.weight").unwrap().data(), 7.0_f32.to_le_bytes());
    let header_bytes = u64::from_le_bytes(bytes[..8].try_into().unwrap());
    assert_eq!(header_bytes % 8, 0);
}

#[test]
fn every_truncation_is_named_as_damage() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("last.safetensors");
    example().save(&path).unwrap();
    let whole = fs::read(&path).unwrap();
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let error = Checkpoint::load(&path).unwrap_err();
        assert!(matches!(&error, Error::Damaged { path: named, .. } if *named == path), "{length}: {error:?}");
    }
    fs::write(&path, b"{\"this is\": \"some other file\"}").unwrap();
    assert!(matches!(Checkpoint::load(&path), Err(Error::Damaged { .. })));
    assert!(matches!(read_checkpoint_metadata(&path), Err(Error::Damaged { .. })));
}

#[test]
fn another_element_type_is_named() {
    use safetensors::tensor::{TensorView, serialize};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("half.safetensors");
    let view = TensorView::new(Dtype::F16, vec![2], &[0; 4]).unwrap();
    fs::write(&path, serialize([("w", view)], None).unwrap()).unwrap();
    assert!(matches!(Checkpoint::load(&path), Err(Error::DType { tensor, .. }) if tensor == "w"));
}

#[test]
fn wrong_shapes_and_doubled_names_are_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("last.safetensors");
    let (two, huge) = ([1.0, 2.0], [usize::MAX, 2]);
    let wrong = [TensorRef { name: "w", shape: &[3], data: &two }];
    let overflowing = [TensorRef { name: "w", shape: &huge, data: &two }];
    let doubled = [TensorRef { name: "w", shape: &[2], data: &two }; 2];
    let reserved = [TensorRef { name: METADATA_KEY, shape: &[2], data: &two }];
    for tensors in [&wrong[..], &overflowing, &doubled, &reserved] {
        assert!(matches!(save_checkpoint(&path, tensors, &BTreeMap::new()), Err(Error::Tensor { .. })));
    }
    assert!(fs::read_dir(folder.path()).unwrap().next().is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn written_then_read_is_the_same(
        tensors in prop::collection::btree_map(
            "[a-z]{1,6}(\\.[a-z0-9_]{1,6}){0,2}",
            prop::collection::vec(any::<u32>(), 0..40),
            0..8,
        ),
        metadata in prop::collection::btree_map(".{0,12}", ".{0,40}", 0..5),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("last.safetensors");
        let tensors = tensors
            .into_iter()
            .rev() // not the order of names
            .filter(|(_, bits)| !bits.is_empty()) // empty tensors share an offset, so their order is by name
            .map(|(name, bits)| {
                let data: Vec<_> = bits.into_iter().map(f32::from_bits).collect();
                NamedTensor { name, shape: vec![1, data.len()], data }
            })
            .collect();
        let saved = Checkpoint { tensors, metadata };
        saved.save(&path).unwrap();
        let loaded = Checkpoint::load(&path).unwrap();
        prop_assert_eq!(bits(&loaded), bits(&saved));
        prop_assert_eq!(loaded.metadata, saved.metadata);
    }
}
