//! Residual nets of basic blocks under torchvision's names: those for 32 px, and those for ImageNet (He et al., 2016).

use super::kind::{BackboneKind, Stem};
use super::list::LayerList;
use crate::layers::Op;

/// Three stages of one basic block, 16, 32, 64 channels; D = 64.
pub const RESNET8: BackboneKind = BackboneKind { name: "resnet8", has_stem: false, layers: |_| three_stages(1) };

/// Three stages of five basic blocks; D = 64.
pub const RESNET32: BackboneKind = BackboneKind { name: "resnet32", has_stem: false, layers: |_| three_stages(5) };

/// Three stages of nine basic blocks; D = 64.
pub const RESNET56: BackboneKind = BackboneKind { name: "resnet56", has_stem: false, layers: |_| three_stages(9) };

/// torchvision's `resnet18` without `fc`; D = 512.
pub const RESNET18: BackboneKind =
    BackboneKind { name: "resnet18", has_stem: true, layers: |stem| four_stages(stem, [2, 2, 2, 2]) };

/// torchvision's `resnet34` without `fc`; D = 512.
pub const RESNET34: BackboneKind =
    BackboneKind { name: "resnet34", has_stem: true, layers: |stem| four_stages(stem, [3, 4, 6, 3]) };

/// 16, 32 and 64 channels, with so many basic blocks a stage.
fn three_stages(blocks: usize) -> LayerList {
    let mut list = LayerList::new(3);
    list.conv_norm_relu(["conv1", "bn1"], 16, 3, 1);
    for (stage, (channels, stride)) in [(16, 1), (32, 2), (64, 2)].into_iter().enumerate() {
        add_stage(&mut list, stage, channels, blocks, stride);
    }
    list
}

/// 64 to 512 channels, with so many basic blocks in each stage.
fn four_stages(stem: Stem, blocks: [usize; 4]) -> LayerList {
    let mut list = LayerList::new(3);
    match stem {
        Stem::Imagenet => {
            list.conv_norm_relu(["conv1", "bn1"], 64, 7, 2);
            list.push(Op::MaxPool);
        }
        Stem::Cifar => list.conv_norm_relu(["conv1", "bn1"], 64, 3, 1),
    }
    for (stage, (blocks, (channels, stride))) in blocks.into_iter().zip([(64, 1), (128, 2), (256, 2), (512, 2)]).enumerate() {
        add_stage(&mut list, stage, channels, blocks, stride);
    }
    list
}

/// Basic blocks of so many channels, the first of them with the stage's stride.
fn add_stage(list: &mut LayerList, stage: usize, channels: usize, blocks: usize, stride: usize) {
    for block in 0..blocks {
        add_basic_block(list, &format!("layer{}.{block}", stage + 1), channels, if block == 0 { stride } else { 1 });
    }
}

/// conv-BN-ReLU, conv-BN, plus the input (through a 1 x 1 convolution and BN where the shape changes), ReLU.
fn add_basic_block(list: &mut LayerList, name: &str, channels: usize, stride: usize) {
    let part = |part: &str| format!("{name}.{part}");
    let input = list.last();
    list.conv_norm_relu([&part("conv1"), &part("bn1")], channels, 3, stride);
    let inner = list.last();
    let mut residual = input;
    if stride != 1 || list.channels(input) != channels {
        list.conv_norm(input, [&part("downsample.0"), &part("downsample.1")], [channels, 1, stride], None, false);
        residual = list.last();
    }
    list.conv_norm(inner, [&part("conv2"), &part("bn2")], [channels, 3, 1], Some(residual), true);
}
