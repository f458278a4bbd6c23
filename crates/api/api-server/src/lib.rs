//! Listener and the one request pipeline: route, authenticate, decode, validate, authorize, dispatch, render
