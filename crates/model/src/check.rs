//! What a list of layers must be like for an executor to run it, and how large its values are.

use crate::layers::Node;
use crate::{Architecture, Error, ImageSize, Layout, Result};
use std::collections::HashSet;

impl Architecture {
    /// Whether the executors can run the list: layers read what stands before them, with its channels, under names of their
    /// own, the list ends in [`crate::Op::GlobalAverage`] of [`Architecture::width`] channels, and taps are outputs of convolutions.
    ///
    /// # Errors
    /// [`Error::Layers`] with the first layer of which that is not so.
    pub fn check(&self) -> Result<()> {
        let mut channels = vec![self.channels];
        let mut names = HashSet::new();
        for (index, layer) in self.layers.iter().enumerate() {
            let read = |node: Node| {
                let before = channels.get(node).copied();
                before.ok_or_else(|| self.fault(index, format!("reads value {node}, which does not stand before it")))
            };
            let input = read(layer.input)?;
            let kind = layer.op.kind();
            let output = kind.output_channels(input).map_err(|what| self.fault(index, what))?;
            if let Some(node) = kind.residual()
                && read(node)? != output
            {
                let what = format!("adds value {node}, of {} channels, to {output}", read(node)?);
                return Err(self.fault(index, what));
            }
            for name in kind.names() {
                if !names.insert(name) {
                    return Err(self.fault(index, format!("has the name {name}, as another has")));
                }
            }
            channels.push(output);
        }
        for &tap in &self.taps {
            let layer = tap.checked_sub(1).and_then(|index| self.layers.get(index));
            if layer.and_then(|layer| layer.op.kind().activation()).is_none() {
                let what = format!("taps value {tap}, which no convolution gives");
                return Err(Error::Layers { backbone: self.describe(), what });
            }
        }
        let ends = self.layers.last().is_some_and(|layer| layer.op.kind().gives_features());
        if !ends || channels.last() != Some(&self.width) {
            let what = format!("does not end in a global average of {} channels, the features' width", self.width);
            return Err(Error::Layers { backbone: self.describe(), what });
        }
        Ok(())
    }

    fn fault(&self, index: usize, what: String) -> Error {
        Error::Layers { backbone: self.describe(), what: format!("layer {} {what}", index + 1) }
    }

    /// Layout of every value for images of `size`, without a halo.
    ///
    /// # Errors
    /// As [`Architecture::check`]; [`Error::Layers`] where a residual has other sides than what it is added to,
    /// [`Error::Size`] where the images are too small for the net, or of other channels.
    pub(crate) fn layouts(&self, size: ImageSize) -> Result<Vec<Layout>> {
        self.check()?;
        let ImageSize { height, width, channels } = size;
        if channels != self.channels {
            let expected = format!("{} for {}", self.channels, self.describe());
            return Err(Error::Size { what: "channels of the images", expected, got: channels.to_string() });
        }
        let mut layouts = vec![Layout::dense(height, width, channels)];
        for (index, layer) in self.layers.iter().enumerate() {
            let Layout { height: rows, width: columns, channels, .. } = layouts[layer.input];
            let kind = layer.op.kind();
            let channels = kind.output_channels(channels).map_err(|what| self.fault(index, what))?;
            let (rows, columns) =
                kind.output_sides(rows, columns).filter(|&(rows, columns)| rows * columns > 0).ok_or_else(|| Error::Size {
                    what: "images",
                    expected: format!("large enough for layer {} of {}", index + 1, self.describe()),
                    got: format!("{height} x {width} px, {rows} x {columns} at that layer"),
                })?;
            let output = Layout::dense(rows, columns, channels);
            if let Some(node) = kind.residual()
                && layouts[node] != output
            {
                let Layout { height, width, .. } = layouts[node];
                let what = format!("adds value {node}, of {height} x {width} px, to {rows} x {columns}");
                return Err(self.fault(index, what));
            }
            layouts.push(output);
        }
        Ok(layouts)
    }
}
