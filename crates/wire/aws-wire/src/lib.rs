//! AWS wire protocols, SigV4 and error rendering; knows no service
