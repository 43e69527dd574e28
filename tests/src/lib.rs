//! luckystack-tests
