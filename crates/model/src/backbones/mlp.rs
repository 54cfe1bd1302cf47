//! Perceptrons, for rows of numbers.

use super::list::LayerList;
use crate::Architecture;

impl Architecture {
    /// A perceptron for rows of `inputs` numbers ([`crate::Images::of_rows`]): `Linear` without bias, batch norm and ReLU for
    /// each width of `hidden`, and once more for the features' D = `width`.
    ///
    /// A row is an image of one pixel, a linear layer a 1 x 1 convolution of it: `layer1.conv.weight` has the shape
    /// `[out, in, 1, 1]`, batch norms are `layer1.bn`.
    ///
    /// ```
    /// use relata_model::{Architecture, Backbone, Compute, Images, Mode, Network};
    ///
    /// let mut backbone = Network::new(Architecture::mlp(5, &[32], 16), 1, Compute::new(1)?);
    /// let rows = vec![0.5; 3 * 5];
    /// assert_eq!(backbone.forward(Images::of_rows(&rows, 5)?, Mode::Eval)?.len(), 3 * 16);
    /// # Ok::<(), relata_model::Error>(())
    /// ```
    #[must_use]
    pub fn mlp(inputs: usize, hidden: &[usize], width: usize) -> Self {
        let mut list = LayerList::new(inputs);
        for (index, &channels) in hidden.iter().chain([&width]).enumerate() {
            let name = format!("layer{}", index + 1);
            list.conv_norm_relu([&format!("{name}.conv"), &format!("{name}.bn")], channels, 1, 1);
        }
        let widths: Vec<String> = [&inputs].into_iter().chain(hidden).chain([&width]).map(ToString::to_string).collect();
        list.into_architecture(format!("mlp {}", widths.join("-")))
    }
}
