//! Requests to the endpoint of a task on a simulated machine.

use super::*;
