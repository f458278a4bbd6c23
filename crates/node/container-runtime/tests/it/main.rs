//! Real containers made of busybox. Needs root; says so and passes otherwise.

mod attach;
mod isolation;
mod life;
mod machine;
