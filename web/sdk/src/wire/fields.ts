/**
 * Reading JSON that somebody else wrote: a field that is missing or of another type reads as empty, so that an unexpected
 * answer costs a value and never an exception.
 */

/** A JSON object. */
export type Fields = { readonly [name: string]: unknown };

const EMPTY: Fields = Object.freeze({});

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A text; a number is taken as its digits, since some servers write ids so. */
export function readText(fields: Fields, name: string): string {
  const value = fields[name];
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : '';
}

/** A finite number, else 0. */
export function readNumber(fields: Fields, name: string): number {
  const value = fields[name];
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

export function readObject(fields: Fields, name: string): Fields {
  const value = fields[name];
  return isFields(value) ? value : EMPTY;
}

/** The objects of an array. */
export function readObjects(fields: Fields, name: string): Fields[] {
  const value = fields[name];
  return Array.isArray(value) ? value.filter(isFields) : [];
}

/** The texts of an array. */
export function readTexts(fields: Fields, name: string): string[] {
  const value = fields[name];
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}
