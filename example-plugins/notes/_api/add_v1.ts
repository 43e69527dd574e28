import * as config from 'luckystack/config';
import type { ApiResponse, AuthProps, Functions } from 'luckystack';

import { add } from '../store';

export const rateLimit: number | false = 30;
export const auth: AuthProps = { login: false };

interface Place {
  /**
   * @minimum -90
   * @maximum 90
   */
  lat: number;
  /**
   * @minimum -180
   * @maximum 180
   */
  lng: number;
}

export interface ApiParams {
  data: {
    /** @maxLength 80 */
    title: string;
    text: string;
    tags?: string[];
    /** Where it was taken. */
    place?: Place;
  };
  functions: Functions;
}

/** Keeps a note. */
export const main = async ({ data, functions }: ApiParams): Promise<ApiResponse> => {
  const title = data.title.trim();
  if (title === '') return { status: 'error', errorCode: 'notes.emptyTitle' };
  const tags = [...new Set(data.tags ?? [])];
  if (tags.length > 5) {
    return { status: 'error', errorCode: 'notes.tooManyTags', errorParams: [{ key: 'max', value: 5 }], httpStatus: 422 };
  }
  const note = { title, text: data.text, tags };
  if (data.place === undefined) return { status: 'success', result: add(note) };

  const home = (config.get('home') ?? '52.3702,4.8952').split(',').map(Number);
  const km: number = await functions.geo.distance({ from: home, to: [data.place.lat, data.place.lng] });
  return { status: 'success', result: add({ ...note, km: Math.round(km * 10) / 10 }) };
};
