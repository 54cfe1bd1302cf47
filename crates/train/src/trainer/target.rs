//! The target network of a method that has one: copies of the parameters of backbone and method that follow them slowly.

use crate::Method;
use relata_model::{Backbone, Parameters};

/// What stands in for the parameters of backbone and method in a target's forward pass. Their running statistics are
/// the target's own: they follow the batches that it has seen.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) backbone: Parameters,
    pub(crate) method: Parameters,
}

impl Target {
    /// A target that is the same as the network at first.
    pub(crate) fn new(backbone: &Parameters, method: &Parameters) -> Self {
        Self { backbone: backbone.without_gradients(), method: method.without_gradients() }
    }

    /// Runs `pass` on backbone and method with the target's parameters swapped in; their own are swapped back afterwards,
    /// whatever the pass returned.
    pub(crate) fn stand_in<R>(
        &mut self,
        backbone: &mut dyn Backbone,
        method: &mut dyn Method,
        pass: impl FnOnce(&mut dyn Backbone, &mut dyn Method) -> R,
    ) -> R {
        self.swap(backbone, method);
        let result = pass(backbone, method);
        self.swap(backbone, method);
        result
    }

    /// `t ← momentum · t + (1 − momentum) · p` for every parameter, in f64 and rounded once.
    pub(crate) fn ema_update(&mut self, momentum: f64, backbone: &Parameters, method: &Parameters) {
        for (target, live) in [(&mut self.backbone, backbone), (&mut self.method, method)] {
            for (t, p) in target.values_mut().iter_mut().zip(live.values()) {
                *t = (momentum * f64::from(*t) + (1.0 - momentum) * f64::from(*p)) as f32;
            }
        }
    }

    fn swap(&mut self, backbone: &mut dyn Backbone, method: &mut dyn Method) {
        self.backbone.swap_values(backbone.parameters_mut());
        self.method.swap_values(method.parameters_mut());
    }
}
