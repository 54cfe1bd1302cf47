//! Optimisers over named flat parameters, with state that can be saved
