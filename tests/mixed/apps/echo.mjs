/** The Node part of the mixed deployment. */

export class Echo {
  echo(value) {
    return value;
  }

  *count(limit) {
    for (let number = 0; number < limit; number++) yield number;
  }
}
