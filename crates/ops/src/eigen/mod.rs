//! Eigenvalues and eigenvectors of a symmetric matrix, in f64.

#[cfg(test)]
mod tests;

/// Steps for one eigenvalue; three are usual.
const MOST_STEPS: usize = 60;

/// The eigenvalues, in no order, of the symmetric `matrix [n, n]`. Its lower triangle is read, and all of it is overwritten.
///
/// Householder's reduction to tridiagonal form, then implicit QL steps (Wilkinson & Reinsch 1971: tred1 and imtql1). n³ · 2/3
/// multiplications.
#[must_use]
pub fn symmetric_eigenvalues(matrix: &mut [f64], n: usize) -> Vec<f64> {
    let mut below = tridiagonalise(matrix, n);
    let mut diagonal: Vec<f64> = (0..n).map(|i| matrix[i * n + i]).collect();
    diagonalise(&mut diagonal, &mut below, |_, _, _| ());
    diagonal
}

/// The eigenvalues of the symmetric `matrix [n, n]`, largest first, and their eigenvectors as the rows of `[n, n]`. These are orthonormal,
/// and of that sign which makes the entry of largest size (the first of equals) positive. The lower triangle of the matrix is read, and all
/// of it is overwritten.
///
/// As [`symmetric_eigenvalues`], with the reflections and rotations carried along (tred2 and imtql2); some 6 n³ multiplications.
#[must_use]
pub fn symmetric_eigenvectors(matrix: &mut [f64], n: usize) -> (Vec<f64>, Vec<f64>) {
    let mut below = tridiagonalise(matrix, n);
    let mut diagonal: Vec<f64> = (0..n).map(|i| matrix[i * n + i]).collect();
    let mut vectors = reflections(matrix, n);
    diagonalise(&mut diagonal, &mut below, |i, cosine, sine| {
        let (left, right) = vectors[i * n..][..2 * n].split_at_mut(n);
        for (a, b) in left.iter_mut().zip(right) {
            (*a, *b) = (cosine * *a - sine * *b, sine * *a + cosine * *b);
        }
    });
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| diagonal[b].total_cmp(&diagonal[a]));
    let mut sorted = Vec::with_capacity(n * n);
    for &at in &order {
        let vector = &vectors[at * n..][..n];
        let largest = vector.iter().fold(0.0_f64, |most, &v| if v.abs() > most.abs() { v } else { most });
        sorted.extend(vector.iter().map(|v| if largest < 0.0 { -v } else { *v }));
    }
    (order.into_iter().map(|at| diagonal[at]).collect(), sorted)
}

/// QL steps until nothing is left beside the diagonal; `rotate(i, cosine, sine)` is called for each rotation of the axes i and i + 1.
fn diagonalise(diagonal: &mut [f64], below: &mut [f64], mut rotate: impl FnMut(usize, f64, f64)) {
    let n = diagonal.len();
    for first in 0..n {
        for _ in 0..MOST_STEPS {
            let negligible = |i: usize| below[i].abs() <= f64::EPSILON * (diagonal[i].abs() + diagonal[i + 1].abs());
            let last = (first..n - 1).find(|&i| negligible(i)).unwrap_or(n - 1);
            if last == first {
                break;
            }
            ql_step(diagonal, below, (first, last), &mut rotate);
        }
    }
}

/// `Qᵀ [n, n]` of the reduction `A = Q T Qᵀ`, from the vectors u that [`tridiagonalise`] leaves in the rows: Q is the product of
/// the reflections `1 − 2 u uᵀ / uᵀu`, the longest vector's first.
fn reflections(matrix: &[f64], n: usize) -> Vec<f64> {
    let mut q = vec![0.0; n * n];
    (0..n).for_each(|i| q[i * n + i] = 1.0);
    let mut products = vec![0.0; n];
    for row in 2..n {
        let u = &matrix[row * n..][..row];
        let half = u.iter().map(|u| u * u).sum::<f64>() / 2.0;
        if half == 0.0 {
            continue;
        }
        products[..row].fill(0.0);
        for (line, u) in q.chunks_exact(n).zip(u) {
            products[..row].iter_mut().zip(line).for_each(|(sum, q)| *sum += u * q);
        }
        for (line, u) in q.chunks_exact_mut(n).zip(u) {
            line[..row].iter_mut().zip(&products).for_each(|(q, sum)| *q -= u / half * sum);
        }
    }
    (0..n * n).map(|at| q[at % n * n + at / n]).collect()
}

/// Leaves the diagonal in `matrix`; gives the entries below it, the last of n being 0.
fn tridiagonalise(matrix: &mut [f64], n: usize) -> Vec<f64> {
    let mut below = vec![0.0; n];
    let mut product = vec![0.0; n];
    for row in (1..n).rev() {
        let (above, rest) = matrix.split_at_mut(row * n);
        let vector = &mut rest[..row];
        let scale: f64 = vector.iter().map(|v| v.abs()).sum();
        if row == 1 || scale == 0.0 {
            below[row - 1] = vector[row - 1];
            continue;
        }
        vector.iter_mut().for_each(|v| *v /= scale);
        let square: f64 = vector.iter().map(|v| v * v).sum();
        let end = vector[row - 1];
        let length = -square.sqrt().copysign(end);
        below[row - 1] = scale * length;
        vector[row - 1] = end - length;
        let half = square - end * length;
        // product = A · vector / half, from the lower triangle alone.
        product[..row].fill(0.0);
        for i in 0..row {
            let line = &above[i * n..i * n + i];
            let mut sum = above[i * n + i] * vector[i];
            for (j, value) in line.iter().enumerate() {
                sum += value * vector[j];
                product[j] += value * vector[i];
            }
            product[i] += sum;
        }
        let product = &mut product[..row];
        product.iter_mut().for_each(|p| *p /= half);
        let share = product.iter().zip(&*vector).map(|(p, v)| p * v).sum::<f64>() / (2.0 * half);
        product.iter_mut().zip(&*vector).for_each(|(p, v)| *p -= share * v);
        for i in 0..row {
            let (v, p) = (vector[i], product[i]);
            let line = &mut above[i * n..=i * n + i];
            line.iter_mut().enumerate().for_each(|(j, value)| *value -= v * product[j] + p * vector[j]);
        }
    }
    below
}

fn ql_step(diagonal: &mut [f64], below: &mut [f64], (first, last): (usize, usize), rotate: &mut impl FnMut(usize, f64, f64)) {
    let mut g = (diagonal[first + 1] - diagonal[first]) / (2.0 * below[first]);
    g = diagonal[last] - diagonal[first] + below[first] / (g + g.hypot(1.0).copysign(g));
    let (mut sine, mut cosine, mut shift) = (1.0, 1.0, 0.0);
    for i in (first..last).rev() {
        let (f, b) = (sine * below[i], cosine * below[i]);
        let r = f.hypot(g);
        below[i + 1] = r;
        if r == 0.0 {
            diagonal[i + 1] -= shift;
            below[last] = 0.0;
            return;
        }
        (sine, cosine) = (f / r, g / r);
        g = diagonal[i + 1] - shift;
        let r = (diagonal[i] - g) * sine + 2.0 * cosine * b;
        shift = sine * r;
        diagonal[i + 1] = g + shift;
        g = cosine * r - b;
        rotate(i, cosine, sine);
    }
    diagonal[first] -= shift;
    below[first] = g;
    below[last] = 0.0;
}
