//! Evaluation of a frozen backbone: features once, then linear probe and kNN
