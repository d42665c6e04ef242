"""Remote places that hold objects, behind one small protocol (``base.Store``)."""
