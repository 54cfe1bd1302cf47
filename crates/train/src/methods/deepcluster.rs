use crate::error::{check, check_width};
use crate::heads::classifier::check_labels;
use crate::heads::projection::{LEAK, ProjectionHead, ProjectionShape};
use crate::{BatchShape, Error, HeadShape, Method, MethodSettings, MethodSpec, MethodStep, Needs, Result};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, Normal};
use relata_artifact::FigureFacts;
use relata_cluster::{KMeans, Rows, changed_share, changed_share_bytes, l2_normalised, whiten};
use relata_model::{Buffers, Compute, Parameters};
use relata_ops::CrossEntropy;
use serde::{Deserialize, Serialize};

const NEEDS: Needs = Needs { features: true, ..Needs::FEATURES_OF_A_BATCH };

/// k-means as the reference runs it: at most as many iterations, the best of as many starts.
const ITERATIONS: usize = 30;
const RESTARTS: usize = 5;
/// From this width on only the larger half of the whitened components is clustered.
const WIDE: usize = 512;
/// Standard deviation of the last layer's weights at the start of an epoch.
const LAST_LAYER: f32 = 0.01;
/// Keeps its draws apart from those of the parameters, whose streams begin with a part's number of 32 bits, 0 or 1.
const LAST_LAYER_PART: u64 = 2;
/// The numbers of clusters travel in checkpoints as `f32`, which holds all whole numbers up to here.
const MOST_CLUSTERS: usize = 1 << 24;

const ASSIGNMENTS: &str = "assignments";
const CHANGED: &str = "changed_share";

/// `[method.deepcluster]` of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeepClusterConfig {
    /// k, the clusters: ten for each class that is thought to be there. Default 100, the reference's on CIFAR-10.
    pub clusters: usize,
    /// Width of the head's hidden layer. Default 256, the reference's.
    pub hidden: usize,
}

impl Default for DeepClusterConfig {
    fn default() -> Self {
        Self { clusters: 100, hidden: 256 }
    }
}

impl DeepClusterConfig {
    fn projection(&self, width: usize) -> ProjectionShape {
        ProjectionShape { width, hidden: self.hidden, output: self.clusters, leak: LEAK }
    }

    /// Bytes that the start of an epoch takes and gives back: features as they are, whitened and at length 1, with k-means' distances
    /// and sums beside them, and what the old and the new clusters are compared by.
    fn clustering_bytes(&self, shape: HeadShape) -> usize {
        let of_images = shape.images * (3 * shape.width * size_of::<f32>() + 6 * size_of::<u64>());
        let of_clusters = (self.clusters * shape.width + shape.width * shape.width) * 16 * size_of::<f64>();
        of_images + of_clusters + changed_share_bytes(shape.images, self.clusters)
    }
}

impl MethodSettings for DeepClusterConfig {
    const NAME: &'static str = "deepcluster";
    const TITLE: &'static str = "DeepCluster";
    const ABOUT: &'static str =
        "say which cluster of the features an image lies in; all features are clustered before each epoch";
}

impl MethodSpec for DeepClusterConfig {
    fn needs(&self) -> Needs {
        NEEDS
    }

    fn validate(&self, _views: usize) -> Result<()> {
        let clusters = "2 to 16777216, and no more than there are images";
        check((2..=MOST_CLUSTERS).contains(&self.clusters), "method.deepcluster.clusters", self.clusters, clusters)?;
        check_width("method.deepcluster.hidden", self.hidden)
    }

    fn width_keys(&self) -> &'static [&'static str] {
        &["method.deepcluster.hidden", "method.deepcluster.clusters"]
    }

    fn figures(&self) -> Vec<FigureFacts> {
        [("cluster_acc", "Clusters predicted correctly"), ("changed_share", "Images whose cluster changed")]
            .map(|(name, title)| FigureFacts::single(name, title))
            .to_vec()
    }

    fn build(&self, shape: HeadShape, seed: u64, compute: Compute, buffers: &mut Buffers) -> Result<Box<dyn Method>> {
        Ok(Box::new(DeepCluster::new(self, shape, seed, compute, buffers)?))
    }
}

/// `DeepCluster`: the network learns to tell which cluster of its own features an image lies in (Caron, Bojanowski, Joulin &
/// Douze, *Deep Clustering for Unsupervised Learning of Visual Features*, ECCV 2018, arXiv 1807.05520), as the reference
/// repository of arXiv 2006.05849 runs it.
///
/// At the start of an epoch the features of all images (running statistics, no augmentation) are PCA-whitened (all components, the
/// larger half of them from a width of 512 on), scaled to length 1 and clustered: k-means++, 30 iterations, the best of 5 starts. The
/// head's last layer is drawn again, weights from N(0, 0.01²), biases 0. A step is cross-entropy with the images' clusters as targets,
/// `Σ_r w(t_r) (ln Σ exp z_r − z_r[t_r]) / Σ_r w(t_r)`, weighted by `w(c) = 1 − share of the images that lie in c`.
///
/// An image that could not be read at the start of an epoch has cluster 0 for that epoch.
#[derive(Debug)]
pub struct DeepCluster {
    clusters: usize,
    width: usize,
    images: usize,
    seed: u64,
    compute: Compute,
    parameters: Parameters,
    head: ProjectionHead,
    /// Each image's cluster; empty before the first epoch.
    assignments: Vec<usize>,
    /// By cluster.
    weights: Vec<f64>,
    /// In [0, 1]; an f32, so that it comes out of a checkpoint as it went in.
    changed_share: f32,
    /// `[N, clusters]`: logits and then their gradient.
    d_logits: Vec<f32>,
    /// `[clusters]`, sums of that gradient.
    bias_sums: Vec<f64>,
}

impl DeepCluster {
    /// A method with a freshly drawn head, before its first epoch.
    ///
    /// # Errors
    /// [`Error::TooManyClusters`] where there are more than images.
    pub fn new(config: &DeepClusterConfig, shape: HeadShape, seed: u64, compute: Compute, buffers: &mut Buffers) -> Result<Self> {
        let DeepClusterConfig { clusters, .. } = *config;
        if clusters > shape.images {
            return Err(Error::TooManyClusters { clusters, images: shape.images });
        }
        buffers.count(config.clustering_bytes(shape));
        let rows = shape.views * shape.max_images;
        let mut parameters = Parameters::new(buffers);
        let head = ProjectionHead::new(config.projection(shape.width), rows, "", &mut parameters, compute.clone(), buffers);
        parameters.initialise(seed, 1);
        Ok(Self {
            clusters,
            width: shape.width,
            images: shape.images,
            seed,
            parameters,
            head,
            compute,
            assignments: Vec::new(),
            weights: vec![1.0; clusters],
            changed_share: 1.0,
            d_logits: buffers.vec(rows * clusters),
            bias_sums: buffers.vec(clusters),
        })
    }

    /// The images' clusters, and from them the weights: `1 − share`.
    fn assign(&mut self, assignments: Vec<usize>) {
        let mut sizes = vec![0_usize; self.clusters];
        assignments.iter().for_each(|&cluster| sizes[cluster] += 1);
        let images = assignments.len() as f64;
        self.weights = sizes.into_iter().map(|size| 1.0 - size as f64 / images).collect();
        self.assignments = assignments;
    }

    fn draw_last_layer(&mut self, epoch: u32) {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(LAST_LAYER_PART << 32 | u64::from(epoch));
        let normal = Normal::new(0.0, LAST_LAYER).expect("a finite deviation");
        let parameters = &mut self.parameters;
        let [weight, bias] = ["linear2.weight", "linear2.bias"].map(|name| parameters.range(name).expect("the head has it"));
        parameters.values_mut()[weight].iter_mut().for_each(|w| *w = normal.sample(&mut rng));
        parameters.values_mut()[bias].fill(0.0);
    }
}

impl Method for DeepCluster {
    fn head_name(&self) -> &'static str {
        "clusters"
    }

    fn needs(&self) -> Needs {
        NEEDS
    }

    fn start_epoch(&mut self, epoch: u32, features: &[f32], images: &[usize]) -> Result<()> {
        let (isa, width) = (self.compute.isa(), self.width);
        let components = if width >= WIDE { width / 2 } else { width };
        let settings =
            KMeans { clusters: self.clusters, restarts: RESTARTS, max_iterations: ITERATIONS, seed: self.seed, round: epoch };
        let found = self.compute.install(|| {
            let white = whiten(features, width, components, isa);
            Rows::new(&l2_normalised(&white, components), components, isa).cluster(&settings)
        });
        let found = found.map(|found| found.clusters).unwrap_or_default();
        if found.iter().all(|cluster| *cluster == found[0]) {
            return Err(Error::OneCluster { images: images.len(), epoch: epoch + 1 });
        }
        let mut assignments = vec![0; self.images];
        images.iter().zip(&found).for_each(|(&image, &cluster)| assignments[image] = cluster);
        self.changed_share =
            if self.assignments.is_empty() { 1.0 } else { changed_share(&self.assignments, &assignments, self.clusters) };
        self.assign(assignments);
        self.draw_last_layer(epoch);
        Ok(())
    }

    fn own_labels(&self) -> Option<&[usize]> {
        Some(&self.assignments)
    }

    fn step(&mut self, features: &[f32], batch: BatchShape, labels: &[usize]) -> Result<MethodStep> {
        check_labels(labels, batch.images, self.clusters)?;
        let (rows, clusters) = (batch.rows(), self.clusters);
        let logits = self.head.forward(&mut self.parameters, features, rows)?;
        let d_logits = &mut self.d_logits[..rows * clusters];
        d_logits.copy_from_slice(logits);
        let loss = CrossEntropy::mean(clusters).weighted(&self.weights);
        let outcome = loss.loss_and_gradients(d_logits, |row| labels[row % batch.images], &mut self.bias_sums);
        self.head.backward(&mut self.parameters, features, d_logits);
        let figures = vec![("cluster_acc", outcome.accuracy()), (CHANGED, f64::from(self.changed_share))];
        Ok(MethodStep { loss: outcome.loss, figures })
    }

    fn d_features(&self) -> &[f32] {
        self.head.d_features()
    }

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn parameters_mut(&mut self) -> &mut Parameters {
        &mut self.parameters
    }

    fn state(&self) -> Vec<(&'static str, Vec<f32>)> {
        let assignments = self.assignments.iter().map(|&cluster| cluster as f32).collect();
        vec![(ASSIGNMENTS, assignments), (CHANGED, vec![self.changed_share])]
    }

    fn restore(&mut self, state: &dyn Fn(&'static str) -> Result<Vec<f32>, String>) -> Result<(), String> {
        let (saved, changed) = (state(ASSIGNMENTS)?, state(CHANGED)?);
        let &[changed] = &changed[..] else { return Err(format!("{CHANGED} is not one number")) };
        if !saved.is_empty() && saved.len() != self.images {
            return Err(format!("it has clusters of {} images, this run has {}", saved.len(), self.images));
        }
        let is_cluster = |value: &&f32| value.fract() == 0.0 && (0.0..self.clusters as f32).contains(*value);
        if let Some(value) = saved.iter().find(|value| !is_cluster(value)) {
            return Err(format!("{ASSIGNMENTS} has {value}, which is none of {} clusters", self.clusters));
        }
        self.changed_share = changed;
        if !saved.is_empty() {
            self.assign(saved.into_iter().map(|cluster| cluster as usize).collect());
        }
        Ok(())
    }
}
