//! The paper's small net.

use super::kind::BackboneKind;
use super::list::LayerList;
use crate::layers::Op;

/// Four 3 x 3 convolutions of 8, 16, 32, 64 channels with average pools between them; D = 64.
pub const CONV4: BackboneKind = BackboneKind { name: "conv4", has_stem: false, layers: |_| four_convolutions() };

fn four_convolutions() -> LayerList {
    let mut list = LayerList::new(3);
    for (index, channels) in [8, 16, 32, 64].into_iter().enumerate() {
        if index > 0 {
            list.push(Op::AveragePool2);
        }
        let name = format!("layer{}", index + 1);
        list.conv_norm_relu([&format!("{name}.conv"), &format!("{name}.bn")], channels, 3, 1);
    }
    list
}
