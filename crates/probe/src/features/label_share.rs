use crate::draw::stratified_rows;
use crate::{Features, Result};

impl Features {
    /// A share of the rows of each class, as if only these had labels: of a class of n the nearest whole number to
    /// `fraction · n`, one at least where the class has any. The rows stay in their order.
    ///
    /// Which rows depends on `seed` alone, and those of a smaller fraction are among those of a larger one.
    ///
    /// # Errors
    /// [`crate::Error::Unlabelled`]; [`crate::Error::Setting`] where `fraction` is not in (0, 1].
    pub fn stratified(&self, fraction: f64, seed: u64) -> Result<Self> {
        let labels = self.labelled()?;
        let kept = stratified_rows(labels, fraction, seed)?;
        let values = kept.iter().flat_map(|&row| self.row(row)).copied().collect();
        let labels = kept.iter().map(|&row| labels[row]).collect();
        let features = Self::new(values, self.width(), labels, self.class_names().to_vec())?;
        match self.sources() {
            Some(sources) => features.with_sources(kept.iter().map(|&row| sources[row].clone()).collect()),
            None => Ok(features),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::test_clouds::names;
    use crate::{Error, Features};

    /// `sizes[c]` rows of class c, dealt out in turn; each row holds its own number.
    fn features(sizes: [usize; 3]) -> Features {
        let mut labels = Vec::new();
        for round in 0..sizes.into_iter().max().unwrap() {
            labels.extend((0..3).filter(|&class| round < sizes[class]));
        }
        let sources = (0..labels.len()).map(|row| row.to_string()).collect();
        let values = (0..labels.len()).map(|row| row as f32).collect();
        Features::new(values, 1, labels, names(3)).unwrap().with_sources(sources).unwrap()
    }

    #[test]
    fn every_class_keeps_its_share_and_one_at_least() {
        let all = features([200, 90, 3]);
        let kept = all.stratified(0.1, 1).unwrap();
        let count = |class| kept.labels().unwrap().iter().filter(|label| **label == class).count();
        assert_eq!([0, 1, 2].map(count), [20, 9, 1]);
        assert!(kept.values().is_sorted());
        for row in 0..kept.rows() {
            let whole = kept.row(row)[0] as usize;
            assert_eq!(kept.labels().unwrap()[row], all.labels().unwrap()[whole]);
            assert_eq!(kept.sources().unwrap()[row], whole.to_string());
        }
        assert_eq!(all.stratified(1.0, 1).unwrap(), all);
    }

    #[test]
    fn the_seed_alone_says_which_and_fewer_are_among_more() {
        let all = features([200, 200, 200]);
        let rows = |fraction, seed| all.stratified(fraction, seed).unwrap().values().to_vec();
        assert_eq!(rows(0.1, 1), rows(0.1, 1));
        assert_ne!(rows(0.1, 1), rows(0.1, 2));
        let more = rows(0.1, 1);
        assert!(rows(0.01, 1).iter().all(|row| more.contains(row)));
    }

    #[test]
    fn a_fraction_outside_its_range_is_refused() {
        for fraction in [0.0, -0.1, 1.1, f64::NAN] {
            let error = features([2, 2, 2]).stratified(fraction, 0).unwrap_err();
            assert!(matches!(error, Error::Setting { key, .. } if key == "label_fraction"));
        }
        let unlabelled = Features::unlabelled(vec![1.0], 1).unwrap();
        assert!(matches!(unlabelled.stratified(0.5, 0), Err(Error::Unlabelled { .. })));
    }
}
