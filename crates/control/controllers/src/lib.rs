//! The controllers: observe, plan, apply
