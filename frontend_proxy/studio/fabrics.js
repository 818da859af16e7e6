/** The Fabrics tab: a scan of the visitor's cloth, the catalog, and the chosen fabric. */

import { CatalogGrid } from "./catalog_grid.js";
import { FabricScan } from "./fabric_scan.js";
import { FabricView } from "./fabric_view.js";

export function mount(root, studio) {
  const view = new FabricView(studio);
  root.classList.add("fabrics");
  root.append(new FabricScan(studio).element, new CatalogGrid(studio).element, view.element);
  return {
    show() {
      view.shown = true;
    },
    hide() {
      view.shown = false;
    },
  };
}
