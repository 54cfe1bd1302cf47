//! Training kernels on plain f32 buffers: convolution, batch norm, pools, pairwise relation head, losses, Adam
