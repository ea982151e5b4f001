//! Records at work: filters, views, windows, joins. Empty until its issue; the crate holds the place in the dependency order.
