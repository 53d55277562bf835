export { joinArrays, layOutRows, type RowGrid, type RowShape, type RowSight, type TokenRow } from './rows.js';
