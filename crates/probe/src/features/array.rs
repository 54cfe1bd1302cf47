use crate::{Error, Result};

/// Features of n images, one row of D numbers each, with the images' labels where they have any.
///
/// Every number is finite and every label has a class; the constructors see to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    values: Vec<f32>,
    width: usize,
    labels: Option<Vec<usize>>,
    class_names: Vec<String>,
    sources: Option<Vec<String>>,
}

impl Features {
    /// Labelled features: `values [n, width]` row by row, `labels [n]` in `0..class_names.len()`.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::Size`], [`Error::NotFinite`] with the first bad row, [`Error::LabelOutOfRange`].
    pub fn new(values: Vec<f32>, width: usize, labels: Vec<usize>, class_names: Vec<String>) -> Result<Self> {
        let features = Self::unlabelled(values, width)?;
        same_len("labels", features.rows(), labels.len())?;
        let classes = class_names.len();
        match labels.iter().position(|&label| label >= classes) {
            Some(row) => Err(Error::LabelOutOfRange { row, label: labels[row], classes }),
            None => Ok(Self { labels: Some(labels), class_names, ..features }),
        }
    }

    /// Features without labels, `values [n, width]`: for export, not for a probe.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::Size`], [`Error::NotFinite`] with the first bad row.
    pub fn unlabelled(values: Vec<f32>, width: usize) -> Result<Self> {
        if values.is_empty() {
            return Err(Error::Empty);
        }
        let whole = (values.len() / width.max(1)).max(1) * width.max(1);
        if width == 0 || whole != values.len() {
            return Err(Error::Size { what: "features of whole rows", expected: whole, got: values.len() });
        }
        if let Some((row, column, value)) = first_not_finite(&values, width) {
            return Err(Error::NotFinite { row, column, value, origin: None });
        }
        Ok(Self { values, width, labels: None, class_names: Vec::new(), sources: None })
    }

    /// The same with a word for each row on where it comes from, such as a file name.
    ///
    /// # Errors
    /// [`Error::Size`] where there is not one for each row.
    pub fn with_sources(mut self, sources: Vec<String>) -> Result<Self> {
        same_len("sources", self.rows(), sources.len())?;
        self.sources = Some(sources);
        Ok(self)
    }

    /// n, the number of images.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.values.len() / self.width
    }

    /// D, the numbers an image.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// `[n, D]`, row by row.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The features of one image.
    ///
    /// # Panics
    /// Where there is no such row, as slice indexing does.
    #[must_use]
    pub fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.width..][..self.width]
    }

    /// `[n]`, the class of each row; `None` for unlabelled images.
    #[must_use]
    pub fn labels(&self) -> Option<&[usize]> {
        self.labels.as_deref()
    }

    /// Names of the classes in label order; empty for unlabelled images.
    #[must_use]
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// Where each row comes from, if that was kept.
    #[must_use]
    pub fn sources(&self) -> Option<&[String]> {
        self.sources.as_deref()
    }

    /// The labels, or [`Error::Unlabelled`].
    pub(crate) fn labelled(&self) -> Result<&[usize]> {
        self.labels().ok_or_else(|| Error::Unlabelled { what: "the features".to_owned() })
    }
}

/// Row, column and value of the first number that is NaN or infinite.
pub(crate) fn first_not_finite(values: &[f32], width: usize) -> Option<(usize, usize, f32)> {
    let at = values.iter().position(|value| !value.is_finite())?;
    Some((at / width, at % width, values[at]))
}

/// The labels to fit on, of two classes or more.
pub(crate) fn labels_to_fit(train: &Features) -> Result<&[usize]> {
    let labels = train.labelled()?;
    if labels.iter().all(|label| *label == labels[0]) {
        return Err(Error::OneClass { rows: labels.len(), class: train.class_names[labels[0]].clone() });
    }
    Ok(labels)
}

/// Refuses test features that a probe fitted on features of `width` and `class_names` cannot be scored on.
pub(crate) fn labels_to_score<'a>(width: usize, class_names: &[String], test: &'a Features) -> Result<&'a [usize]> {
    let labels = test.labelled()?;
    if width != test.width {
        return Err(Error::WidthDiffers { train: width, test: test.width });
    }
    same_classes(class_names, &test.class_names)?;
    Ok(labels)
}

/// Refuses images of other classes than those that were fitted on.
pub(crate) fn same_classes(train: &[String], test: &[String]) -> Result<()> {
    if train.len() != test.len() {
        return Err(Error::ClassCountDiffers { train: train.len(), test: test.len() });
    }
    match (0..train.len()).find(|&label| train[label] != test[label]) {
        Some(label) => Err(Error::ClassNameDiffers { label, train: train[label].clone(), test: test[label].clone() }),
        None => Ok(()),
    }
}

fn same_len(what: &'static str, expected: usize, got: usize) -> Result<()> {
    if expected == got { Ok(()) } else { Err(Error::Size { what, expected, got }) }
}

#[cfg(test)]
mod tests {
    use super::Features;
    use crate::Error;

    fn names(classes: usize) -> Vec<String> {
        (0..classes).map(|class| class.to_string()).collect()
    }

    #[test]
    fn rows_and_labels_come_back() {
        let features = Features::new(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 3, vec![1, 0], names(2)).unwrap();
        assert_eq!((features.rows(), features.width(), features.row(1)), (2, 3, &[4.0, 5.0, 6.0][..]));
        assert_eq!(features.labels(), Some(&[1, 0][..]));
        let features = features.with_sources(vec!["a.png".into(), "b.png".into()]).unwrap();
        assert_eq!(features.sources().unwrap()[1], "b.png");
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        assert!(matches!(Features::unlabelled(vec![], 3), Err(Error::Empty)));
        assert!(matches!(Features::unlabelled(vec![0.0; 5], 0), Err(Error::Size { got: 5, .. })));
        assert!(matches!(Features::unlabelled(vec![0.0; 5], 3), Err(Error::Size { expected: 3, got: 5, .. })));
        assert!(matches!(Features::unlabelled(vec![0.0; 2], 3), Err(Error::Size { expected: 3, got: 2, .. })));
        let labels = Features::new(vec![0.0; 6], 3, vec![0], names(2));
        assert!(matches!(labels, Err(Error::Size { what: "labels", expected: 2, got: 1 })));
        let label = Features::new(vec![0.0; 6], 3, vec![0, 2], names(2));
        assert!(matches!(label, Err(Error::LabelOutOfRange { row: 1, label: 2, classes: 2 })));
        let sources = Features::unlabelled(vec![0.0; 6], 3).unwrap().with_sources(vec![]);
        assert!(matches!(sources, Err(Error::Size { what: "sources", expected: 2, got: 0 })));
    }

    #[test]
    fn the_first_row_that_is_not_finite_is_named() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut values = vec![0.0; 12];
            (values[7], values[10]) = (bad, bad);
            let error = Features::unlabelled(values, 3).unwrap_err();
            assert!(matches!(error, Error::NotFinite { row: 2, column: 1, .. }), "{error:?}");
        }
    }
}
