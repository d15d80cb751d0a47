// What is marked for a cut.

export interface Marks {
  links: string[];
  risks: string[];
}

export const noMarks: Marks = { links: [], risks: [] };
