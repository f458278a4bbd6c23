//! Images against stores that fail at every call, and against each other in thousands of orders of events.

mod faults;
mod mutations;
mod orders;
mod world;
