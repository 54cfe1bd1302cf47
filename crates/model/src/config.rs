use crate::backbones::CONV4;
use crate::{Architecture, Backbone, BackboneKind, CandleNetwork, Compute, Network, Result, Stem};
use serde::{Deserialize, Serialize};

/// Who runs the layers of a backbone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Executor {
    /// The fused kernels of this project: the CPU's fast path.
    #[default]
    Fused,
    /// candle's own operators under its autograd: any device that candle knows, and the oracle of the fused one.
    Candle,
}

/// `[model]` of a configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelConfig {
    /// Which backbone. Default conv4, the reference's notebook.
    pub backbone: BackboneKind,
    /// Stem of resnet18 and resnet34. Default imagenet, torchvision's.
    pub stem: Stem,
    /// Who runs it. Default fused.
    pub executor: Executor,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self { backbone: CONV4, stem: Stem::Imagenet, executor: Executor::Fused }
    }
}

impl ModelConfig {
    /// The list of layers.
    #[must_use]
    pub fn architecture(&self) -> Architecture {
        Architecture::new(self.backbone, self.stem)
    }

    /// A backbone with freshly drawn weights on the CPU.
    ///
    /// # Errors
    /// Where the executor refuses the architecture.
    pub fn build(&self, seed: u64, compute: Compute) -> Result<Box<dyn Backbone>> {
        let architecture = self.architecture();
        Ok(match self.executor {
            Executor::Fused => Box::new(Network::new(architecture, seed, compute)),
            Executor::Candle => {
                let mut parameters = architecture.parameters();
                parameters.initialise(seed, 0);
                Box::new(CandleNetwork::new(architecture, parameters, &candle_core::Device::Cpu)?)
            }
        })
    }
}
