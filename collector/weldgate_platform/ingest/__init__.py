"""What collectors send: numbered packs applied once and answered for, in a database of their own."""
