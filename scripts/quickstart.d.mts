/** Four photographs of a run's predictions.csv, people's scores beside the model's; see quickstart.mjs. */
export function besidePeople(predictions: string): Promise<string>;
