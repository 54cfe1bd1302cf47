//! Fast, repeatable image augmentation: K random views an image, batched by a prefetching loader
