//! A network as an ordinary function of candle tensors, so that it composes with the rest of candle.

use super::Network;
use crate::{Backbone, ImageSize, Images, Mode};
use candle_core::{DType, Device, Error, Result, Tensor};

/// Features in evaluation mode of images `[N, H, W, C]`, NHWC, f32.
impl candle_nn::Module for Network {
    fn forward(&self, images: &Tensor) -> Result<Tensor> {
        let (rows, height, width, channels) = images.dims4()?;
        let data = images.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
        // A module is shared, a plan's buffers are not: this call works on its own.
        let mut own = Self::unchecked(self.architecture.clone(), self.parameters.clone(), self.compute.clone());
        let images_view = Images::of_size(&data, rows, ImageSize::new(height, width, channels)).map_err(Error::wrap)?;
        let features = Backbone::forward(&mut own, images_view, Mode::Eval).map_err(Error::wrap)?;
        Tensor::from_slice(features, (rows, self.architecture.width), &Device::Cpu)?.to_device(images.device())
    }
}
