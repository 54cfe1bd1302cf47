use crate::error::{check, check_width};
use crate::{BatchShape, HeadShape, Method, MethodSettings, MethodSpec, MethodStep, Result};
use relata_artifact::{CurveFacts, FigureFacts, FigureUnit};
use relata_model::{Aggregation, Buffers, Compute, PairLoss, Parameters, RelationHead, RelationHeadConfig};
use serde::{Deserialize, Serialize};

/// Loss on a pair's logit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LossKind {
    /// Binary cross-entropy: the tutorial's and the short reference script's.
    #[default]
    Bce,
    /// Sigmoid focal loss: the full reference code's.
    Focal,
}

/// `[method.relational]` of a configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RelationalConfig {
    /// How two features become a pair. Default cat, the paper's best.
    pub aggregation: Aggregation,
    /// Loss on each pair. Default bce.
    pub loss: LossKind,
    /// Focal loss's gamma. Default 2, the reference's.
    pub gamma: f64,
    /// Focal loss's alpha. Default 0.5, the reference's.
    pub alpha: f64,
    /// Width of the relation head's hidden layers. Default 256, the paper's.
    pub hidden: usize,
    /// Hidden layers of the relation head, 1 to 4. Default 1, the paper's; from 2 on the rows of the pairs are kept in memory.
    pub layers: usize,
    /// Rolls of each pair of views, so negatives a pair: each image of one view meets as many others of the other view. Default 1,
    /// the paper's.
    pub shifts: usize,
}

impl Default for RelationalConfig {
    fn default() -> Self {
        let (aggregation, loss) = (Aggregation::Cat, LossKind::Bce);
        Self { aggregation, loss, gamma: 2.0, alpha: 0.5, hidden: 256, layers: 1, shifts: 1 }
    }
}

impl RelationalConfig {
    /// The relation head that the settings describe.
    fn head(&self) -> RelationHeadConfig {
        let loss = match self.loss {
            LossKind::Bce => PairLoss::Bce,
            LossKind::Focal => PairLoss::Focal { gamma: self.gamma as f32, alpha: self.alpha as f32 },
        };
        let Self { aggregation, hidden, layers, shifts, .. } = *self;
        RelationHeadConfig { aggregation, hidden, layers, loss, shifts }
    }
}

impl MethodSettings for RelationalConfig {
    const NAME: &'static str = "relational";
    const TITLE: &'static str = "Relational reasoning";
    const ABOUT: &'static str = "tell pairs of views of one image from pairs of two images; 2 views or more";
    const VIEWS_NOTE: &'static str = "Two views of one row are a positive pair, views of two rows a negative one; the relation head learns \
                                      to tell which is which.";
    const ALIASES: &'static [(&'static str, &'static str)] = &[
        ("method.aggregation", "method.relational.aggregation"),
        ("method.loss", "method.relational.loss"),
        ("method.gamma", "method.relational.gamma"),
        ("method.alpha", "method.relational.alpha"),
        ("method.hidden", "method.relational.hidden"),
        ("method.layers", "method.relational.layers"),
        ("method.shifts", "method.relational.shifts"),
    ];
}

impl MethodSpec for RelationalConfig {
    fn validate(&self, views: usize) -> Result<()> {
        check(views >= 2, "augment.views", views, "2 or more: relational reasoning compares two views of one image")?;
        let fits = self.gamma >= 0.0 && self.gamma.is_finite();
        check(fits, "method.relational.gamma", self.gamma, "a number of 0 or more")?;
        check((0.0..=1.0).contains(&self.alpha), "method.relational.alpha", self.alpha, "0 to 1")?;
        check_width("method.relational.hidden", self.hidden)?;
        check((1..=4).contains(&self.layers), "method.relational.layers", self.layers, "1 to 4")?;
        check((1..=1024).contains(&self.shifts), "method.relational.shifts", self.shifts, "1 to 1024")
    }

    fn width_keys(&self) -> &'static [&'static str] {
        &["method.relational.hidden"]
    }

    fn figures(&self) -> Vec<FigureFacts> {
        let curves = [("pair_acc", "all pairs"), ("pair_acc_pos", "same image"), ("pair_acc_neg", "different images")];
        let curves = curves.map(|(name, title)| CurveFacts { name: name.to_owned(), title: title.to_owned() }).to_vec();
        let reference = Some((0.5, "guessing".to_owned()));
        vec![FigureFacts { title: "Pairs predicted correctly".to_owned(), unit: FigureUnit::Share, reference, curves }]
    }

    fn build(&self, shape: HeadShape, seed: u64, compute: Compute, buffers: &mut Buffers) -> Result<Box<dyn Method>> {
        Ok(Box::new(Relational::new(&self.head(), shape, seed, compute, buffers)?))
    }
}

/// Self-supervised relational reasoning: tell pairs of views of one image from pairs of two images
/// (Patacchiola & Storkey, NeurIPS 2020).
#[derive(Debug)]
pub struct Relational {
    head: RelationHead,
}

impl Relational {
    /// A method with a freshly drawn head.
    ///
    /// # Errors
    /// Where there are fewer than two views or images.
    pub fn new(
        config: &RelationHeadConfig,
        shape: HeadShape,
        seed: u64,
        compute: Compute,
        buffers: &mut Buffers,
    ) -> Result<Self> {
        let HeadShape { width, views, max_images, .. } = shape;
        Ok(Self { head: RelationHead::new(*config, width, views, max_images, seed, compute, buffers)? })
    }
}

impl Method for Relational {
    fn head_name(&self) -> &'static str {
        "relation"
    }

    fn step(&mut self, features: &[f32], batch: BatchShape, _labels: &[usize]) -> Result<MethodStep> {
        let outcome = self.head.step(batch.images, features)?;
        // Half of the rows are positives. Counted by target, not by halves of the rows as the reference does.
        let half = outcome.rows as f64 / 2.0;
        let figures = vec![
            ("pair_acc", outcome.accuracy()),
            ("pair_acc_pos", outcome.positives_correct as f64 / half),
            ("pair_acc_neg", outcome.negatives_correct as f64 / half),
        ];
        Ok(MethodStep { loss: outcome.loss, figures })
    }

    fn d_features(&self) -> &[f32] {
        self.head.d_features()
    }

    fn parameters(&self) -> &Parameters {
        self.head.parameters()
    }

    fn parameters_mut(&mut self) -> &mut Parameters {
        self.head.parameters_mut()
    }
}
