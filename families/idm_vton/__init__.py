"""IDM-VTON (yisol/IDM-VTON): two UNets of SDXL's class, one of which reads the garment."""
